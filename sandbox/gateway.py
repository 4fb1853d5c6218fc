"""The gateway, which identifies the bot, keeps its sessions and sends it events."""

import asyncio
import json
import time
from collections.abc import Collection

from aiohttp import WSMsgType, web

from sandbox.entities import Channel, Message
from sandbox.errors import Json
from sandbox.gateway_session import PRIVILEGED, Connection, Intent, Op, Session
from sandbox.page_feed import PageFeed
from sandbox.payloads import Payloads
from sandbox.world import World

UNKNOWN_OP, DECODE_ERROR, NOT_AUTHENTICATED, BAD_TOKEN, ALREADY_IDENTIFIED = range(4001, 4006)
INVALID_SEQUENCE, TIMED_OUT, INVALID_SHARD = 4007, 4009, 4010
DISALLOWED_INTENTS = 4014
IDENTIFY_GAP_S = 5.0
"""The time in which one shard for each concurrency key may identify."""
_GOODBYE = (1000, 1001)


class Gateway:
    """Keeps the bot's sessions, one per shard."""

    def __init__(
        self,
        *,
        world: World,
        payloads: Payloads,
        feed: PageFeed,
        tokens: Collection[str],
        heartbeat_s: float = 41.25,
        shards: int = 1,
        max_concurrency: int = 1,
    ) -> None:
        """`shards` is the number that the sandbox advises.

        With more than one, shards that identify too quickly are refused, as Discord does.
        """
        self.base_url = ""
        self.shards = shards
        self.max_concurrency = max_concurrency
        self.refused_identifies = 0
        self.heartbeat_s = heartbeat_s
        self.identifies = 0
        self.resumes = 0
        self._world = world
        self._payloads = payloads
        self._feed = feed
        self._tokens = tokens
        self._sessions: dict[str, Session] = {}
        self._sockets: set[web.WebSocketResponse] = set()
        self._identified_at: dict[int, float] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to serve. REST tells clients their address."""
        return [web.get("/gateway", self.connect), web.get("/gateway/", self.connect)]

    async def dispatch(
        self, event: str, data: Json, *, guild_id: int | None, intent: Intent | None = None
    ) -> None:
        """Send an event to its shard, if the shard's intents include it."""
        for session in list(self._sessions.values()):
            if session.serves(guild_id) and (intent is None or intent in session.intents):
                await session.dispatch(event, data)

    async def dispatch_message(self, event: str, message: Message, channel: Channel) -> None:
        """Send a new or changed message, without content if it is another user's in a server."""
        if message.is_ephemeral or not self._world.bot_sees(channel):
            return
        data = self._payloads.message(message)
        guild = self._world.guild_of(channel)
        if guild is not None:
            member = self._payloads.member(guild, message.author_id)
            data |= {"guild_id": str(guild.id), "member": member}
            if message.author_id != self._world.bot.id:
                data |= {"content": "", "embeds": [], "attachments": [], "components": []}
        await self.dispatch(event, data, guild_id=channel.guild_id, intent=_message_intent(channel))

    async def dispatch_deletion(self, message: Message, channel: Channel) -> None:
        """Send a message's deletion."""
        if message.is_ephemeral or not self._world.bot_sees(channel):
            return
        data = {"id": str(message.id), "channel_id": str(channel.id)}
        if channel.guild_id is not None:
            data["guild_id"] = str(channel.guild_id)
        await self.dispatch(
            "MESSAGE_DELETE", data, guild_id=channel.guild_id, intent=_message_intent(channel)
        )

    async def drop(self, *, code: int = 4000) -> None:
        """Close every connection. Sessions can be resumed."""
        for socket in list(self._sockets):
            await socket.close(code=code)

    async def ask_to_reconnect(self) -> None:
        """Send op 7, as Discord occasionally does."""
        for session in list(self._sessions.values()):
            if session.connection is not None:
                await session.connection.send({"op": Op.RECONNECT, "d": None})

    async def invalidate(self) -> None:
        """Invalidate every session. The bot has to identify again."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        self._announce()
        for session in sessions:
            if session.connection is not None:
                await session.connection.send({"op": Op.INVALID_SESSION, "d": False})

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection, from the hello until it closes."""
        socket = web.WebSocketResponse(max_msg_size=4096 * 4, compress=False)
        await socket.prepare(request)
        is_compressed = request.query.get("compress") == "zlib-stream"
        connection = Connection(socket, is_compressed=is_compressed)
        self._sockets.add(socket)
        close_code: int | None = None
        try:
            interval_ms = int(self.heartbeat_s * 1000)
            await connection.send({"op": Op.HELLO, "d": {"heartbeat_interval": interval_ms}})
            close_code = await self._converse(connection)
        finally:
            self._sockets.discard(socket)
            self._left(connection, is_for_good=close_code in _GOODBYE)
        return socket

    async def _converse(self, connection: Connection) -> int | None:
        """Handle messages until the connection ends, and return the bot's close code, if any."""
        socket = connection.socket
        while not socket.closed:
            try:
                frame = await socket.receive(timeout=self.heartbeat_s * 1.5)
            except TimeoutError:
                await socket.close(code=TIMED_OUT)
                return None
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return frame.data if frame.type is WSMsgType.CLOSE else None
            try:
                message = json.loads(frame.data)
                op, data = message["op"], message.get("d")
            except (ValueError, KeyError, TypeError, AttributeError):
                await socket.close(code=DECODE_ERROR)
                return None
            await self._handle(connection, op, data)
        return None

    async def _handle(self, connection: Connection, op: object, data: object) -> None:
        session = self._session_of(connection)
        match op:
            case Op.HEARTBEAT:
                connection.acknowledge_soon()
            case Op.IDENTIFY | Op.RESUME if session is not None:
                await connection.socket.close(code=ALREADY_IDENTIFIED)
            case Op.IDENTIFY if isinstance(data, dict):
                await self._identify(connection, data)
            case Op.RESUME if isinstance(data, dict):
                await self._resume(connection, data)
            case Op.PRESENCE | Op.VOICE_STATE | Op.REQUEST_MEMBERS if session is not None:
                # These have no effect: the sandbox has neither presences nor voice, and member
                # lists need an intent that no session gets.
                return
            case _:
                code = NOT_AUTHENTICATED if session is None else UNKNOWN_OP
                await connection.socket.close(code=code)

    async def _identify(self, connection: Connection, data: Json) -> None:
        if (code := self._refusal(data)) is not None:
            await connection.socket.close(code=code)
            return
        shard_id, shard_count = data.get("shard") or (0, 1)
        if self.shards > 1 and self._is_too_early(shard_id):
            self.refused_identifies += 1
            await connection.send({"op": Op.INVALID_SESSION, "d": False})
            return
        self.identifies += 1
        session = Session(
            token=data["token"],
            intents=Intent(data["intents"]),
            shard_id=shard_id,
            shard_count=shard_count,
            connection=connection,
        )
        self._forget_lost(session.shard_id)
        self._sessions[session.id] = session
        await session.dispatch("READY", self._ready(session))
        for guild in self._world.guilds.values():
            if guild.has_bot and session.serves(guild.id) and Intent.GUILDS in session.intents:
                await session.dispatch("GUILD_CREATE", self._payloads.guild(guild))
        self._announce()

    def _is_too_early(self, shard_id: int) -> bool:
        key, now = shard_id % self.max_concurrency, time.monotonic()
        is_early = now - self._identified_at.get(key, -IDENTIFY_GAP_S) < IDENTIFY_GAP_S
        if not is_early:
            self._identified_at[key] = now
        return is_early

    def _forget_lost(self, shard_id: int) -> None:
        for session in list(self._sessions.values()):
            if session.connection is None and session.shard_id == shard_id:
                del self._sessions[session.id]

    def _refusal(self, data: Json) -> int | None:
        if data.get("token") not in self._tokens:
            return BAD_TOKEN
        shard_id, shard_count = data.get("shard") or (0, 1)
        if not 0 <= shard_id < shard_count:
            return INVALID_SHARD
        if not isinstance(data.get("intents"), int):
            return DECODE_ERROR
        return DISALLOWED_INTENTS if data["intents"] & PRIVILEGED else None

    def _ready(self, session: Session) -> Json:
        guilds = [guild for guild in self._world.guilds.values() if guild.has_bot]
        return {
            "v": 10,
            "user": {**self._payloads.user(self._world.bot), "verified": True, "flags": 0},
            "guilds": [
                {"id": str(guild.id), "unavailable": True}
                for guild in guilds
                if session.serves(guild.id)
            ],
            "session_id": session.id,
            "resume_gateway_url": self.address,
            "shard": [session.shard_id, session.shard_count],
            "application": {"id": str(self._world.application_id), "flags": 0},
        }

    @property
    def address(self) -> str:
        """The gateway's URL."""
        return self.base_url.replace("http", "ws", 1) + "/gateway"

    async def _resume(self, connection: Connection, data: Json) -> None:
        session = self._sessions.get(str(data.get("session_id")))
        sequence = data.get("seq")
        if data.get("token") not in self._tokens:
            await connection.socket.close(code=BAD_TOKEN)
        elif session is None or not isinstance(sequence, int):
            await connection.send({"op": Op.INVALID_SESSION, "d": False})
        elif sequence > session.sequence:
            await connection.socket.close(code=INVALID_SEQUENCE)
        elif not session.can_resume_from(sequence):
            await connection.send({"op": Op.INVALID_SESSION, "d": False})
        else:
            self.resumes += 1
            session.connection = connection
            await session.replay(sequence)
            await session.dispatch("RESUMED", {})
            self._announce()

    def _session_of(self, connection: Connection) -> Session | None:
        return next((s for s in self._sessions.values() if s.connection is connection), None)

    def _left(self, connection: Connection, *, is_for_good: bool) -> None:
        session = self._session_of(connection)
        if session is None:
            return
        session.connection = None
        if is_for_good:
            del self._sessions[session.id]
        self._announce()

    def _announce(self) -> None:
        is_online = any(session.connection is not None for session in self._sessions.values())
        if is_online != self._world.bot_is_online:
            self._world.bot_is_online = is_online
            self._feed.tell_all({"type": "bot_online", "online": is_online})

    async def close(self) -> None:
        """Close every connection for good."""
        await asyncio.gather(*(socket.close(code=1001) for socket in list(self._sockets)))


def _message_intent(channel: Channel) -> Intent:
    return Intent.DIRECT_MESSAGES if channel.guild_id is None else Intent.GUILD_MESSAGES
