"""What the engine and its worker say to each other: one JSON object a line."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from bot.domain.recipes import Stem


class SeparationFault(StrEnum):
    """Why a separation failed in a worker that is well itself."""

    MIXTURE = "mixture"
    MODEL = "model"
    DISK_FULL = "disk_full"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Separate:
    """Engine to worker: separate a spool. Ids rise; one separation at a time."""

    id: int
    mixture: str
    frames: int
    stems: list[str]
    into: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Engine to worker: give up the separation at the next block."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Worker to engine, at the start and then a few times a second."""

    id: int
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Worker to engine: the spools by stem."""

    id: int
    files: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Worker to engine: this separation came to nothing; the next may do better."""

    id: int
    trouble: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Worker to engine: given up as asked, and nothing left behind."""

    id: int


Request: TypeAlias = Separate | Cancel
Reply: TypeAlias = Progress | Done | Failed | Cancelled

_KINDS = {kind.__name__: kind for kind in (Separate, Cancel, Progress, Done, Failed, Cancelled)}


def to_line(message: Request | Reply) -> bytes:
    """Return the message as a line."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}).encode() + b"\n"


def read_request(line: bytes) -> Request:
    """Read a line that the engine wrote; raises ValueError when it did not."""
    message = _read(line)
    if not isinstance(message, Separate | Cancel):
        raise ValueError(f"{type(message).__name__} is no request")
    return message


def read_reply(line: bytes) -> Reply:
    """Read a line that the worker wrote; raises ValueError when it did not."""
    message = _read(line)
    if isinstance(message, Separate | Cancel):
        raise ValueError(f"{type(message).__name__} is no reply")
    return message


def _read(line: bytes) -> Request | Reply:
    try:
        fields = json.loads(line)
        return _KINDS[fields.pop("kind")](**fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise ValueError(f"not a message: {line[:80]!r}") from exc


def spool_path(into: Path, stem: Stem) -> Path:
    """Return where the worker puts a stem."""
    return into / f"{stem}.f32"
