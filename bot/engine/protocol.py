"""What the engine and its worker say to each other: one JSON object a line, and open files."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bot.processes import ipc


class SeparationFault(StrEnum):
    """Why a separation failed in a worker that is well itself."""

    MIXTURE = "mixture"
    MODEL = "model"
    DISK_FULL = "disk_full"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Separate:
    """Engine to worker: separate a spool. Ids rise; one separation at a time.

    The files come with it, open: first the mixture, then an empty one for each of the model's
    stems, in alphabetical order, wanted or not.
    """

    id: int
    frames: int
    stems: list[str]


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
    """Worker to engine: the files of the stems asked for are whole."""

    id: int


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

_KINDS = ipc.kinds(Separate, Cancel, Progress, Done, Failed, Cancelled)


def read_request(line: bytes) -> Request:
    """Read a line that the engine wrote; raises ValueError when it did not."""
    message: Request | Reply = ipc.read(line, _KINDS)
    if not isinstance(message, Separate | Cancel):
        raise ValueError(f"{type(message).__name__} is no request")
    return message


def read_reply(line: bytes) -> Reply:
    """Read a line that the worker wrote; raises ValueError when it did not."""
    message: Request | Reply = ipc.read(line, _KINDS)
    if isinstance(message, Separate | Cancel):
        raise ValueError(f"{type(message).__name__} is no reply")
    return message
