"""A gateway session: its events and its current connection."""

import asyncio
import contextlib
import json
import secrets
import zlib
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from aiohttp import web

from sandbox.errors import Json

ACKNOWLEDGE_AFTER_S = 0.05
_KEPT_EVENTS = 1000


class Op(IntEnum):
    """Gateway opcodes."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE = 3
    VOICE_STATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Intent(IntFlag):
    """The kinds of events that a session asked for."""

    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_EXPRESSIONS = 1 << 3
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    DIRECT_MESSAGES = 1 << 12
    MESSAGE_CONTENT = 1 << 15


PRIVILEGED = Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES | Intent.MESSAGE_CONTENT


class Connection:
    """A WebSocket with plain text frames or one zlib stream."""

    def __init__(self, socket: web.WebSocketResponse, *, is_compressed: bool) -> None:
        self.socket = socket
        self._deflate = zlib.compressobj() if is_compressed else None
        self._acknowledging: set[asyncio.Task[None]] = set()

    def acknowledge_soon(self) -> None:
        """Acknowledge a heartbeat after a delay like a network's.

        discord.py records the time of a heartbeat only after its send has returned. A faster answer
        would be measured from the previous heartbeat, and reported as 41 s of latency.
        """
        task = asyncio.create_task(self._acknowledge())
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _acknowledge(self) -> None:
        await asyncio.sleep(ACKNOWLEDGE_AFTER_S)
        with contextlib.suppress(ConnectionError):  # the bot has disconnected in the meantime
            await self.send({"op": Op.HEARTBEAT_ACK})

    async def send(self, message: Json) -> None:
        """Send a message. If the connection is closing, only a resume can still deliver it."""
        text = json.dumps(message)
        try:
            if self._deflate is None:
                await self.socket.send_str(text)
            else:
                data = self._deflate.compress(text.encode())
                await self.socket.send_bytes(data + self._deflate.flush(zlib.Z_SYNC_FLUSH))
        except ConnectionError:
            await self.socket.close()


@dataclass(slots=True, kw_only=True)
class Session:
    """Numbers and keeps events, so that a resumed connection gets those that it missed."""

    token: str
    intents: Intent
    shard_id: int
    shard_count: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    sequence: int = 0
    connection: Connection | None = None
    _events: deque[Json] = field(default_factory=lambda: deque(maxlen=_KEPT_EVENTS))

    def serves(self, guild_id: int | None) -> bool:
        """Return whether events of a server, or of DMs, belong to this shard."""
        return self.shard_id == (0 if guild_id is None else (guild_id >> 22) % self.shard_count)

    async def dispatch(self, event: str, data: Json) -> None:
        """Assign a number to an event, keep it, and send it if the session is connected."""
        self.sequence += 1
        message: Json = {"op": Op.DISPATCH, "t": event, "s": self.sequence, "d": data}
        self._events.append(message)
        if self.connection is not None:
            await self.connection.send(message)

    def can_resume_from(self, sequence: int) -> bool:
        """Return whether every event after `sequence` is still kept."""
        oldest = self._events[0]["s"] if self._events else self.sequence + 1
        return oldest <= sequence + 1

    async def replay(self, sequence: int) -> None:
        """Resend the events after `sequence`."""
        if self.connection is None:
            return
        for message in list(self._events):
            if message["s"] > sequence:
                await self.connection.send(message)
