"""How processes speak to each other: one JSON object per line, read strictly.

A message is a dataclass of plain fields: int, float, str, list[str]. One that comes from a process
which has read strangers' files is checked field by field, so that a wrong type ends here.
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
"""The JSON type of each field type."""


def to_line(message: Any) -> bytes:
    """Return a dataclass as a line."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}).encode() + b"\n"


def kinds(*types: type[Any]) -> Mapping[str, type[Any]]:
    """Return message types by the names used in their lines."""
    return {each.__name__: each for each in types}


def read(line: bytes, of: Mapping[str, type[Any]]) -> Any:
    """Return the message in a line; raises ValueError if it is none of these kinds."""
    try:
        told = json.loads(line)
        message = of[told.pop("kind")](**told)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise ValueError(f"not a message: {line[:80]!r}") from exc
    for field in fields(message):
        if not isinstance(getattr(message, field.name), _PLAIN[field.type]):
            raise ValueError(f"not a message: {field.name} in {line[:80]!r}")
    return message
