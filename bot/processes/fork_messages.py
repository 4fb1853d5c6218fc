"""The messages between the bot and its fork server."""

from dataclasses import dataclass
from typing import TypeAlias

from bot.processes import ipc


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

_REQUESTS = ipc.kinds(Start, Kill)
_REPLIES = ipc.kinds(Ready, Ended, Refused)


def read_request(line: bytes) -> Request:
    """Read a line from the bot; raises ValueError if it is malformed."""
    request: Request = ipc.read(line, _REQUESTS)
    return request


def read_reply(line: bytes) -> Reply:
    """Read a line from the server; raises ValueError if it is malformed."""
    reply: Reply = ipc.read(line, _REPLIES)
    return reply
