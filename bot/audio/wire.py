"""Serialises tasks and answers as one line of JSON each, and rebuilds them by their declared types.

A child that has read an untrusted file is not trusted either, so its answers are checked field by
field: a wrong type raises `WireError` here instead of causing an error later.
"""

import json
from dataclasses import asdict, is_dataclass
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from bot.audio.tasks import (
    Answer,
    CombineTask,
    DecodeTask,
    DoesNotFit,
    EncodeTask,
    FitTask,
    MeasureTask,
    PassageTask,
    PictureTask,
    Task,
)
from bot.domain.errors import NoRoom, Reason, Rejected

_TASKS: dict[str, type[Task]] = {
    kind.__name__: kind
    for kind in (
        DecodeTask,
        CombineTask,
        MeasureTask,
        PassageTask,
        FitTask,
        EncodeTask,
        PictureTask,
    )
}
_A = TypeVar("_A", bound=Answer)


class WireError(ValueError):
    """A line does not match its declared type."""


def task_line(task: Task) -> bytes:
    """Write a task for a child."""
    return _line({"task": type(task).__name__, "fields": asdict(task)})


def read_task(line: str | bytes) -> Task:
    """Read a task in the child."""
    told = json.loads(line)
    task: Task = _build(_TASKS[told["task"]], told["fields"])
    return task


def answer_line(answer: Answer) -> bytes:
    """Write a task's result."""
    return _line({"answer": asdict(answer)})


def refusal_line(refusal: Rejected | DoesNotFit) -> bytes:
    """Write a refusal and its reason."""
    if isinstance(refusal, Rejected):
        return _line({"rejected": refusal.problem.reason})
    return _line({"needed_bytes": refusal.needed_bytes, "max_bytes": refusal.max_bytes})


def no_room_line(error: OSError) -> bytes:
    """Write that the disk is full."""
    return _line({"no_room": str(error)})


def read_answer(kind: type[_A], line: bytes) -> _A:
    """Read a task's result.

    Raises Rejected, DoesNotFit or NoRoom if that was the child's answer.
    """
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise WireError("not JSON") from exc
    match told:
        case {"answer": fields}:
            answer: _A = _build(kind, fields)
            return answer
        case {"rejected": reason}:
            raise Rejected(_build(Reason, reason))
        case {"needed_bytes": int(needed), "max_bytes": int(most)}:
            raise DoesNotFit(needed_bytes=needed, max_bytes=most)
        case {"no_room": str(detail)}:
            raise NoRoom(detail)
        case _:
            raise WireError("no answer in it")


def _line(told: dict[str, Any]) -> bytes:
    return json.dumps(told, default=str).encode() + b"\n"


def _build(hint: Any, raw: Any) -> Any:
    """Rebuild a value of the declared type from plain JSON."""
    if is_dataclass(hint):
        return _build_fields(hint, raw)
    if get_origin(hint) is tuple:
        return tuple(_build(get_args(hint)[0], item) for item in _checked(list, raw))
    if isinstance(hint, UnionType):
        kind = next(arg for arg in get_args(hint) if arg is not type(None))
        return None if raw is None else _build(kind, raw)
    if issubclass(hint, Path):
        return Path(_checked(str, raw))
    if issubclass(hint, Enum):
        return _member(hint, raw)
    return _checked(hint, raw)


def _build_fields(kind: Any, raw: Any) -> Any:
    hints = get_type_hints(kind)
    if _checked(dict, raw).keys() != hints.keys():
        raise WireError(f"the fields of {kind.__name__} are not {sorted(raw)}")
    return kind(**{name: _build(hint, raw[name]) for name, hint in hints.items()})


def _member(kind: type[Enum], raw: Any) -> Enum:
    try:
        return kind(raw)
    except ValueError as exc:
        raise WireError(f"no such {kind.__name__}") from exc


def _checked(kind: type, raw: Any) -> Any:
    if type(raw) is not kind:
        raise WireError(f"{kind.__name__} expected, not {type(raw).__name__}")
    return raw
