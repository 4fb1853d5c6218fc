"""What the engine and its worker say to each other: one JSON object per line, and open files."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bot.domain.recipes import Stem


class SeparationFault(StrEnum):
    """Why a separation failed in a worker that is still healthy."""

    MIXTURE = "mixture"
    MODEL = "model"
    DISK_FULL = "disk_full"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Separate:
    """Engine to worker: separate a spool. Ids increase; there is one separation at a time.

    Open files come with it: first the mixture, then an empty one for each of the model's stems, in
    alphabetical order, wanted or not.
    """

    id: int
    frames: int
    stems: tuple[Stem, ...]


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
    """Worker to engine: the files of the wanted stems are complete."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Worker to engine: this separation failed; the next may succeed."""

    id: int
    trouble: SeparationFault
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Worker to engine: stopped as asked, leaving nothing behind."""

    id: int


Request: TypeAlias = Separate | Cancel
Reply: TypeAlias = Progress | Done | Failed | Cancelled
