"""Messages between processes: frozen dataclasses, each one JSON object on one line.

A line is decoded by the declared types, field by field. A process that has read an untrusted file
is not trusted, so its output is either a valid message or raises MalformedMessage.
"""

import json
import os
import sys
from asyncio import StreamReader
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

MOST_LINE_BYTES = 256 * 1024


class MalformedMessage(ValueError):
    """A line is too long, or is none of the expected messages."""


def encode(message: Any) -> bytes:
    """Return a message as a line.

    Its fields may be int, float, bool, str, Path, a StrEnum, a dataclass of these, any of them or
    None, and tuples of any length. Raises MalformedMessage if the line is too long or a number is
    not finite.
    """
    told = {type(message).__name__: asdict(message)}
    try:
        line = json.dumps(told, default=os.fspath, allow_nan=False).encode() + b"\n"
    except ValueError as exc:
        raise MalformedMessage(f"{type(message).__name__}: {exc}") from exc
    return _short_enough(line)


def decode(line: bytes, union: Any) -> Any:
    """Return the message in a line, one of a union of dataclasses; raises MalformedMessage."""
    told = _checked(dict, _parse(_short_enough(line)))
    for kind in get_args(union) or (union,):
        if told.keys() == {kind.__name__}:
            return _build(kind, told[kind.__name__])
    raise MalformedMessage("no message of the expected kinds")


async def receive(stream: StreamReader, union: Any) -> Any:
    """Return the next message, or None at the stream's end, even in the middle of a line.

    Raises MalformedMessage. The stream's own limit must be MOST_LINE_BYTES.
    """
    try:
        line = await stream.readline()
    except ValueError as exc:
        raise MalformedMessage("the line is too long") from exc
    return decode(line, union) if line.endswith(b"\n") else None


def _short_enough(line: bytes) -> bytes:
    if len(line) > MOST_LINE_BYTES:
        raise MalformedMessage("the line is too long")
    return line


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except (ValueError, RecursionError) as exc:
        raise MalformedMessage("the line is not JSON") from exc


def _build(hint: Any, raw: Any) -> Any:
    """Rebuild a value of the declared type from plain JSON."""
    if isinstance(hint, UnionType):
        (kind,) = set(get_args(hint)) - {NoneType}
        return None if raw is None else _build(kind, raw)
    if get_origin(hint) is tuple:
        return tuple(_build(get_args(hint)[0], item) for item in _checked(list, raw))
    if is_dataclass(hint):
        return _build_fields(hint, raw)
    if hint is float:
        return _finite(raw)
    if issubclass(hint, Path):
        return Path(_checked(str, raw))
    if issubclass(hint, Enum):
        return _member(hint, raw)
    return _checked(hint, raw)


def _build_fields(kind: Any, raw: Any) -> Any:
    hints = _field_types(kind)
    if _checked(dict, raw).keys() != hints.keys():
        raise MalformedMessage(f"the fields are not those of {kind.__name__}")
    values = {name: _build(hint, raw[name]) for name, hint in hints.items()}
    try:
        return kind(**values)
    except ValueError as exc:
        raise MalformedMessage(f"no such {kind.__name__}: {exc}") from exc


@cache
def _field_types(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _finite(raw: Any) -> float:
    if type(raw) not in {int, float} or not abs(raw) <= sys.float_info.max:
        raise MalformedMessage("a finite number expected")
    return float(raw)


def _member(kind: type[Enum], raw: Any) -> Enum:
    try:
        return kind(raw)
    except ValueError as exc:
        raise MalformedMessage(f"no such {kind.__name__}") from exc


def _checked(kind: type, raw: Any) -> Any:
    if type(raw) is not kind:
        raise MalformedMessage(f"{kind.__name__} expected, not {type(raw).__name__}")
    return raw
