"""The messages between the engine and its worker: one JSON object per line, and open files."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bot.domain.recipes import Stem

PROTOCOL = 1
"""The version of these messages. The engine refuses a worker that declares another one."""

ALIVE_EVERY_S = 10.0
"""The period of `Alive`."""


class SeparationFault(StrEnum):
    """The reason why a separation failed although the worker is still healthy."""

    MIXTURE = "mixture"
    MODEL = "model"
    DISK_FULL = "disk_full"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model that a worker can run."""

    name: str
    stems: tuple[Stem, ...]
    sums: bool
    """Whether the stems add up to the song, not counting one that contains others."""
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingModel:
    """A model that a worker knows and cannot run."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Worker to engine: its first message, which says what it can do on this machine.

    It is sent before a model is loaded.
    """

    protocol: int
    device: str
    """The kind of processor that the models run on: `cpu`, `cuda` ..."""
    device_name: str
    device_note: str
    """Why it is not the device that was asked for; empty if it is."""
    memory_free: int | None
    """The device's free memory in bytes, if known."""
    models: tuple[ServedModel, ...]
    missing: tuple[MissingModel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """Worker to engine: sent every ALIVE_EVERY_S while it works or loads a model.

    A separate thread sends it, because one block of a large model takes minutes. It does not mean
    that the separation makes progress.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Separate:
    """Engine to worker: separate a spool. Ids increase, and only one separation runs at a time.

    Open files come with the message: first the mixture, then an empty file for each of the model's
    stems in alphabetical order, whether wanted or not.
    """

    id: int
    model: str
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
Reply: TypeAlias = Ready | Alive | Progress | Done | Failed | Cancelled
