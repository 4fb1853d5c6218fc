"""The messages between the engine and its worker: one JSON object per line, and open files."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bot.domain.recipes import Stem


class SeparationFault(StrEnum):
    """The reason why a separation failed although the worker is still healthy."""

    MIXTURE = "mixture"
    MODEL = "model"
    DISK_FULL = "disk_full"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Separate:
    """Engine to worker: separate a spool. Ids increase, and only one separation runs at a time.

    Open files come with the message: first the mixture, then an empty file for each of the model's
    stems in alphabetical order, whether wanted or not.
    """

    id: int
    frames: int
    stems: tuple[Stem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Engine to worker: stop the separation at the next block."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Worker to engine: the fraction done, sent at the start and then a few times a second."""

    id: int
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Worker to engine: the files of the wanted stems are complete."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Worker to engine: this separation failed, but the next may succeed."""

    id: int
    trouble: SeparationFault
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Worker to engine: the separation was stopped as requested."""

    id: int


Request: TypeAlias = Separate | Cancel
Reply: TypeAlias = Progress | Done | Failed | Cancelled
