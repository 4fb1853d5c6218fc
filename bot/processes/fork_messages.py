"""What the bot and its fork server say to each other."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Bot to server: fork a child for this task. Two open pipes come with it: output, errors."""

    id: int
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Bot to server: kill this task's child, if it still runs."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Server to bot, once: everything is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Server to bot: a child has ended, with a status that is negative for a signal."""

    id: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Server to bot: the system could not create a child, and why (an errno)."""

    id: int
    error: int


Request: TypeAlias = Start | Kill
Reply: TypeAlias = Ready | Ended | Refused
