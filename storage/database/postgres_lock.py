"""The lock that makes one process the bot of a PostgreSQL database; others stand by.

A session holds the lock, so the lock is free once the server notices the end of the owner's
connection. The address must lead to PostgreSQL or to a pooler in session mode: a pooler in
transaction mode would give the lock to every process.
"""

import asyncio
import logging

import psycopg
from psycopg import AsyncConnection

from bot.domain.errors import StoreUnavailable
from storage.database import postgres_sessions as sessions
from storage.database.postgres_sessions import PostgresRow
from storage.database.protocols import TakenOver

log = logging.getLogger(__name__)

PING_EVERY_S = 2.0
FIRST_REFUSAL_S = 5.0
"""The wait of a standby that lost its connection. A server restart also frees the owner's lock."""
_ANSWER_WITHIN_S = 3.0
# The kernel answers keep-alives even for a frozen process, hence the idle timeout.
_SETTINGS = {**sessions.settings_for(_ANSWER_WITHIN_S), "idle_session_timeout": "8s"}
_TRY = "SELECT pg_try_advisory_lock(hashtextextended('stemcord bot ' || %s, 0)) AS is_ours"


class PostgresBotLock:
    """The right to be the bot of a shard group."""

    def __init__(self, url: str, *, group: int = 0) -> None:
        self._url = url
        self._group = group
        self._conn: AsyncConnection[PostgresRow] | None = None

    async def acquire(self) -> None:
        """Wait until this process has the lock, even through outages of the server."""
        is_told, tried_before = False, False
        while True:
            try:
                if await self.try_once():
                    return
                if not is_told:
                    log.warning(
                        "another process is the bot of this database; standing by until it ends"
                    )
                is_told, tried_before = True, True
            except StoreUnavailable as exc:
                log.warning("standing by: the database cannot be reached: %s", exc)
                if tried_before:
                    await asyncio.sleep(FIRST_REFUSAL_S)
            await asyncio.sleep(PING_EVERY_S / 2)

    async def watch(self) -> None:
        """Keep the lock until cancelled, taking it again after outages of the server.

        Raises TakenOver as soon as another process has it.
        """
        while True:
            await asyncio.sleep(PING_EVERY_S)
            try:
                if not await self._is_alive() and not await self.try_once():
                    raise TakenOver("Another process has become the bot of this database.")
            except StoreUnavailable as exc:
                log.warning("the lock of the database is out of reach: %s", exc)

    async def close(self) -> None:
        """Release the lock."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None

    async def _is_alive(self) -> bool:
        if self._conn is None or self._conn.closed:
            return False
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                await self._conn.execute("SELECT 1")
        except (psycopg.Error, TimeoutError):
            await self.close()
            return False
        return True

    async def try_once(self) -> bool:
        """Try to take the lock, and return whether this process has it. Raises StoreUnavailable."""
        with sessions.translated_errors():
            conn = self._conn
            if conn is None or not await self._is_alive():
                conn = self._conn = await sessions.connect(self._url, _SETTINGS)
            [row] = await (await conn.execute(_TRY, (str(self._group),))).fetchall()
        return bool(row["is_ours"])
