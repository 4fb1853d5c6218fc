"""The format of messages between processes: one JSON object per line, read strictly.

A message is a dataclass with fields of type int, float, str or list[str]. Its fields are checked
one by one, because the sender may have read an untrusted file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

_PLAIN: Mapping[Any, type | tuple[type, ...]] = {
    int: int,
    float: (int, float),
    str: str,
    list[str]: list,
}
"""The JSON type for each type of field."""


def to_line(message: Any) -> bytes:
    """Return a dataclass as a line of JSON."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}).encode() + b"\n"


def kinds(*types: type[Any]) -> Mapping[str, type[Any]]:
    """Return a mapping from the names used in lines to message types."""
    return {each.__name__: each for each in types}


def read(line: bytes, of: Mapping[str, type[Any]]) -> Any:
    """Return the message in a line; raises ValueError if it is not one of these kinds."""
    try:
        told = json.loads(line)
        message = of[told.pop("kind")](**told)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise ValueError(f"not a message: {line[:80]!r}") from exc
    for field in fields(message):
        if not isinstance(getattr(message, field.name), _PLAIN[field.type]):
            raise ValueError(f"not a message: {field.name} in {line[:80]!r}")
    return message
