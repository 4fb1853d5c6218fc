"""The messages between the bot and its fork server."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Bot to server: fork a child for this task. Two pipes come with it, for output and errors."""

    id: int
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Bot to server: kill this task's child if it is still running."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Server to bot, once: all libraries are loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Server to bot: a child has ended; its status is negative for a signal."""

    id: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Server to bot: the system could not fork a child; `error` is the error number."""

    id: int
    error: int


Request: TypeAlias = Start | Kill
Reply: TypeAlias = Ready | Ended | Refused
