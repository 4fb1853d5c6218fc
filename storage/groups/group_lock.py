"""The lock that makes one process the bot of a shard group; others stand by.

A session holds the lock, so the lock is free once the server notices the end of the owner's
connection. The address must lead to PostgreSQL or to a pooler in session mode: a pooler in
transaction mode would give the lock to every process.

The owner stops acting by its own clock before the server can give the lock to another process. A
number in the database, the fence, is raised by each new owner and checked by every transaction, so
an earlier owner can't write either.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import psycopg
from psycopg import AsyncConnection

from bot.domain.backoff import Reminders
from bot.domain.errors import StoreUnavailable
from storage.database import postgres_sessions as sessions
from storage.database.postgres_sessions import PostgresRow
from storage.database.protocols import TakenOver
from storage.groups.shard_group import EVERY_SHARD, ShardGroup

log = logging.getLogger(__name__)

PING_EVERY_S = 2.0
MAY_ACT_S = 5.0
"""How long the owner may act after it sent the last ping that was answered."""
FIRST_REFUSAL_S = 5.0
"""The wait of a standby that lost its connection. A server restart also frees the owner's lock."""
_ANSWER_WITHIN_S = 3.0
# The kernel answers keep-alives even for a frozen process, hence the idle timeout. It is longer
# than the owner may act.
_SETTINGS = {**sessions.settings_for(_ANSWER_WITHIN_S), "idle_session_timeout": "8s"}
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

# Advisory locks with two numbers: one of our two classes, and the number of shards or a shard's id.
_COUNTS, _SHARDS = 0x53544D43, 0x53544D53
# Only one process at a time asks for a group's locks, so it gets all of them or none.
_ASK_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('stemcord shard groups', 0))"
_OTHER_COUNT = """
SELECT min(objid::bigint) AS number FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2
    AND classid::bigint = %s AND objid::bigint <> %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_TAKE_SHARDS = """
SELECT bool_and(pg_try_advisory_lock(%s, shard)) AS are_ours
FROM generate_series(%s::int, %s::int) AS shard
"""
_TAKE_COUNT = "SELECT pg_advisory_lock_shared(%s, %s)"
_ADD_GROUP = """
INSERT INTO shard_groups (shard_count, first_shard, last_shard)
VALUES (%(shard_count)s, %(first_shard)s, %(last_shard)s)
ON CONFLICT DO NOTHING
"""
# This also excludes earlier owners that divided the shards differently.
_RAISE_FENCES = """
UPDATE shard_groups SET fence = fence + 1
WHERE shard_count <> %(shard_count)s
    OR (first_shard <= %(last_shard)s AND last_shard >= %(first_shard)s)
"""
_FENCE = """
SELECT fence FROM shard_groups
WHERE shard_count = %(shard_count)s
    AND first_shard = %(first_shard)s AND last_shard = %(last_shard)s
"""


def _elapsed_s() -> float:
    """Return the seconds since the machine started, including those in which it was suspended."""
    return time.clock_gettime(_CLOCK)


class PostgresGroupLock:
    """The right to be the bot of a shard group."""

    def __init__(
        self,
        url: str,
        *,
        shards: ShardGroup = EVERY_SHARD,
        elapsed_s: Callable[[], float] = _elapsed_s,
    ) -> None:
        self._url = url
        self._shards = shards
        self._elapsed_s = elapsed_s
        self._conn: AsyncConnection[PostgresRow] | None = None
        self._using = asyncio.Lock()
        self._is_held = False
        self._fence: int | None = None
        self._may_act_until = 0.0
        self._is_reached = False
        self._was_lost = False
        self._reminders = Reminders()

    @property
    def parameters(self) -> Mapping[str, int]:
        """The key of the group's row."""
        return self._shards.parameters

    @property
    def fence(self) -> int | None:
        """The number of this ownership, which transactions check; None before `begin`."""
        return self._fence

    @property
    def may_act(self) -> bool:
        """Whether no other process can own the group yet, by this machine's clock."""
        return self._elapsed_s() < self._may_act_until

    @property
    def is_reached(self) -> bool:
        """Whether the server answered last time."""
        return self._is_reached

    async def acquire(self) -> None:
        """Wait until this process has the lock, even through outages of the server."""
        told: str | None = None
        while True:
            try:
                # A new connection proves nothing about the owner's, so wait.
                if await self._has_lost_connection() or self._was_lost:
                    await self._connected()
                    self._was_lost = False
                    await asyncio.sleep(FIRST_REFUSAL_S)
                if not await self._has_lost_connection():
                    obstacle = await self._ask()
                    if obstacle is None:
                        return
                    if obstacle != told:
                        log.warning("%s; standing by until it ends", obstacle)
                        told = obstacle
            except StoreUnavailable as exc:
                self._log_outage("standing by: the database cannot be reached: %s", exc)
            await asyncio.sleep(PING_EVERY_S / 2)

    async def try_once(self) -> bool:
        """Try to take the lock, and return whether this process has it. Raises StoreUnavailable."""
        return await self._ask() is None

    async def begin(self) -> None:
        """Raise the fence, so that earlier owners can't write. The schema must be up to date.

        Raises StoreUnavailable, including when the lock was lost with its connection.
        """
        async with self._using:
            if self._conn is None or not self._is_held:
                raise StoreUnavailable("the connection that holds the lock was lost")
            sent_at = self._elapsed_s()
            self._fence = await self._raise_fence(self._conn)
            self._may_act_until = sent_at + MAY_ACT_S

    async def watch(self) -> None:
        """Keep the lock until cancelled, taking it again after outages of the server.

        Raises TakenOver once another process has it.
        """
        while True:
            await asyncio.sleep(PING_EVERY_S)
            try:
                async with self._using:
                    if not await self._is_alive() or not self._is_held:
                        await self._regain()
                self._is_reached = True
            except StoreUnavailable as exc:
                self._is_reached = False
                self._log_outage("the lock of the database is out of reach: %s", exc)

    async def close(self) -> None:
        """Release the lock."""
        self._may_act_until = 0.0
        await self._disconnect()

    def _log_outage(self, message: str, error: StoreUnavailable) -> None:
        if self._reminders.is_due((message, str(error)), self._elapsed_s()):
            log.warning(message, error)

    async def _has_lost_connection(self) -> bool:
        is_lost = self._conn is not None and not await self._is_alive()
        self._was_lost = self._was_lost or is_lost
        return is_lost

    async def _is_alive(self) -> bool:
        if self._conn is None or self._conn.closed:
            return False
        sent_at = self._elapsed_s()
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                await self._conn.execute("SELECT 1")
        except (psycopg.Error, TimeoutError):
            await self._disconnect()
            return False
        if self._is_held:
            self._may_act_until = sent_at + MAY_ACT_S
        return True

    async def _connected(self) -> AsyncConnection[PostgresRow]:
        """Return the connection, opened if there is none. Raises StoreUnavailable."""
        if self._conn is None or self._conn.closed:
            try:
                with sessions.translated_errors():
                    self._conn = await sessions.connect(self._url, _SETTINGS)
            except StoreUnavailable:
                self._was_lost, self._is_reached = True, False
                raise
        self._is_reached = True
        return self._conn

    async def _ask(self) -> str | None:
        """Take the locks if they are free, or return the obstacle as the start of a sentence.

        Raises StoreUnavailable.
        """
        async with self._using:
            if await self._is_alive() and self._is_held:
                return None
            conn = await self._connected()
            sent_at = self._elapsed_s()
            obstacle = await self._take(conn)
            if obstacle is None:
                self._may_act_until = sent_at + MAY_ACT_S
            return obstacle

    async def _take(self, conn: AsyncConnection[PostgresRow]) -> str | None:
        group = self._shards
        try:
            with sessions.translated_errors():
                async with asyncio.timeout(2 * _ANSWER_WITHIN_S), conn.transaction():
                    await conn.execute(_ASK_ALONE)
                    counts = await conn.execute(_OTHER_COUNT, (_COUNTS, group.count))
                    [row] = await counts.fetchall()
                    if row["number"] is not None:
                        return (
                            f"a bot of this database divides its servers among {row['number']} "
                            f"shards, not {group.count}"
                        )
                    shards = await conn.execute(_TAKE_SHARDS, (_SHARDS, group.first, group.last))
                    [row] = await shards.fetchall()
                    if not row["are_ours"]:
                        await conn.execute("SELECT pg_advisory_unlock_all()")
                        return f"another process is the bot {_of(group)}"
                    await conn.execute(_TAKE_COUNT, (_COUNTS, group.count))
        except TimeoutError:
            await self._disconnect()
            raise StoreUnavailable("the server does not answer") from None
        self._is_held = True
        return None

    async def _regain(self) -> None:
        """Take the lock after its connection was lost, if no other process has had it since.

        The server may still count the lost connection, so a lock that is taken is no proof of a
        successor, but a raised fence is.
        """
        conn = await self._connected()
        sent_at = self._elapsed_s()
        obstacle = await self._take(conn)
        if self._fence is None:
            if obstacle is not None:
                raise TakenOver(_sentence(self._shards))
        else:
            with sessions.translated_errors():
                [row] = await (await conn.execute(_FENCE, self._shards.parameters)).fetchall()
            if row["fence"] != self._fence:
                raise TakenOver(_sentence(self._shards))
            if obstacle is not None:
                log.warning("the lock of the database is not free yet: %s", obstacle)
                return
            sent_at = self._elapsed_s()
            self._fence = await self._raise_fence(conn)
        self._may_act_until = sent_at + MAY_ACT_S

    async def _raise_fence(self, conn: AsyncConnection[PostgresRow]) -> int:
        values = self._shards.parameters
        with sessions.translated_errors():
            async with conn.transaction():
                await conn.execute(_ADD_GROUP, values)
                await conn.execute(_RAISE_FENCES, values)
                [row] = await (await conn.execute(_FENCE, values)).fetchall()
        return int(row["fence"])

    async def _disconnect(self) -> None:
        self._is_held = False
        if self._conn is not None:
            await self._conn.close()
            self._conn = None


def _of(group: ShardGroup) -> str:
    return "of this database" if group == EVERY_SHARD else f"of shards {group}"


def _sentence(group: ShardGroup) -> str:
    return f"Another process has become the bot {_of(group)}."
