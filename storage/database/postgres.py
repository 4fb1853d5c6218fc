"""A PostgreSQL database: one pool of connections for transactions, and one for reads."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Self, TypeAlias, TypeVar

import psycopg
from psycopg import AsyncConnection, errors
from psycopg_pool import AsyncConnectionPool, PoolClosed

from bot.domain.backoff import backoff_s
from bot.domain.errors import StoreUnavailable
from storage.database import postgres_sessions as sessions
from storage.database.postgres_schema import migrate, require_migrated
from storage.database.protocols import Connection, Ownership, Parameters, Row
from storage.database.schema import Migration, postgres_migrations
from storage.database.transactions import Transactions

T = TypeVar("T")

WRITERS, READERS = 8, 4
"""The most connections of one process for transactions, and for reads."""
_OF_A_WORKER = 2, 1
WAIT_S = 5.0
"""How long to wait for a connection, a lock and a statement."""
RECONNECT_S = 5.0
"""The time for which the pool's pauses between tries grow before they start over."""
_UNCHECKED_S = 1.0
"""A connection used within this time is not checked before it is used again."""
_TRIES = 20
_FIRST_PAUSE_S = 0.05
_MAX_PAUSE_S = 2.0

# Locks are held to the transaction's end. They are taken before anything is read, because at READ
# COMMITTED each statement sees what was committed before it began.
_BEGIN = """
SELECT pg_current_xact_id()::text AS xid, (
    SELECT count(*) FROM (
        SELECT pg_advisory_xact_lock(hashtextextended(name, 0))
        FROM unnest(%(names)s::text[]) AS name
    ) AS locks
)
"""
# The row is locked too, so that a new owner waits for this transaction to raise the fence.
_IS_OWNER = """, EXISTS (
    SELECT 1 FROM shard_groups
    WHERE shard_count = %(shard_count)s
        AND first_shard = %(first_shard)s AND last_shard = %(last_shard)s
        AND fence = %(fence)s
    FOR SHARE
) AS is_owner
"""
_STATUS = "SELECT pg_xact_status(?::xid8) AS status"
_PROBE = """
INSERT INTO meta (key, value) VALUES ('probe', '1')
ON CONFLICT (key) DO UPDATE SET value = CAST(meta.value AS bigint) % 1000000 + 1
"""
_SCRUBBED = (
    "jobs, attempts, events, batches, batch_songs, open_replies, last_renditions, "
    "account_keys, meta"
)


class _Session(AsyncConnection[sessions.PostgresRow]):
    used_at = 0.0


_Pool: TypeAlias = AsyncConnectionPool[_Session]


class _Transaction:
    """A connection inside a transaction."""

    def __init__(self, conn: AsyncConnection[sessions.PostgresRow]) -> None:
        self._conn = conn

    async def execute(
        self, sql: str, parameters: Parameters = (), /
    ) -> "psycopg.AsyncCursor[sessions.PostgresRow]":
        """Run a statement."""
        return await self._conn.execute(sessions.translated(sql), sessions.values(parameters))

    async def execute_fetchall(
        self, sql: str, parameters: Parameters = (), /
    ) -> Sequence[sessions.PostgresRow]:
        """Run a statement and return its rows."""
        return await (await self.execute(sql, parameters)).fetchall()

    async def executemany(
        self, sql: str, parameters: Iterable[Parameters], /
    ) -> "psycopg.AsyncCursor[sessions.PostgresRow]":
        """Run a statement once for each set of parameters."""
        cursor = self._conn.cursor()
        every = [sessions.values(each) for each in parameters]
        await cursor.executemany(sessions.translated(sql), every)
        return cursor


class PostgresDatabase:
    """An open database, created with `open`."""

    def __init__(
        self,
        *,
        writers: _Pool,
        readers: _Pool,
        settings: Mapping[str, str],
        owner: Ownership | None,
    ) -> None:
        self._writers = writers
        self._readers = readers
        self._settings = settings
        self._owner = owner
        self._transactions = Transactions()

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        wait_s: float = WAIT_S,
        steps: Sequence[Migration] | None = None,
        is_worker: bool = False,
        owner: Ownership | None = None,
    ) -> Self:
        """Connect, and bring the schema up to date.

        An `owner` begins its ownership. A worker's schema must be up to date, and it has few
        connections.

        Each connection, lock and statement may take `wait_s` at most. When the ownership is over,
        reads and writes raise StoreUnavailable. Raises UnknownDatabase, StoreBroken if this user
        may not write, and StoreUnavailable while the server cannot be reached.
        """
        with sessions.translated_errors():
            # Before the pools, because a pool does not report the reason for a failure.
            async with await sessions.connect(url, {}) as conn:
                known = postgres_migrations() if steps is None else steps
                await (require_migrated if is_worker else migrate)(conn, known)
            if owner is not None:
                await owner.begin()
            settings = sessions.settings_for(wait_s)
            most = _OF_A_WORKER if is_worker else (WRITERS, READERS)
            writers = _pool(url, most[0], wait_s, settings)
            read_only = {**settings, **sessions.READ_ONLY}
            readers = _pool(url, most[1], wait_s, read_only, kept=0 if is_worker else 1)
            await writers.open()
            await readers.open()
        return cls(writers=writers, readers=readers, settings=settings, owner=owner)

    async def probe(self) -> None:
        """Check that the database accepts writes. Raises StoreUnavailable or StoreBroken."""
        work = self._repeated(lambda conn: conn.execute(_PROBE), (), owner=None)
        await self._transactions.run(work)

    async def close(self) -> None:
        """Wait for running transactions, then close all connections."""
        await self._transactions.wait()
        await self._readers.close()
        await self._writers.close()

    async def read(self, sql: str, parameters: Parameters = ()) -> Sequence[Row]:
        """Return all rows of one query, which sees a single committed state."""
        self._check_right()
        return await self._read(sql, parameters)

    async def _read(self, sql: str, parameters: Parameters) -> Sequence[Row]:
        with sessions.translated_errors():
            async with self._readers.connection() as conn:
                found = await conn.execute(sessions.translated(sql), sessions.values(parameters))
                return await found.fetchall()

    async def write(
        self, work: Callable[[Connection], Awaitable[T]], *, locks: Iterable[str] = ()
    ) -> T:
        """Run `work` in a transaction, committed when it returns and rolled back when it raises.

        Waits for other transactions that name any of `locks`. If the caller is cancelled, the
        transaction still runs to its end. `work` may only await statements on the connection, and
        runs again from its start after a deadlock. Raises ConstraintViolated, StoreUnavailable or
        StoreBroken, with nothing written.
        """
        self._check_right()
        names = sessions.names_in_order(locks)
        return await self._transactions.run(self._repeated(work, names, owner=self._owner))

    async def scrub(self) -> None:
        """Free the space of deleted data for reuse. Raises StoreUnavailable.

        Until the space is reused, the data stays on the server's disk, in its write-ahead log and
        in the server's own backups, out of reach of statements.
        """
        with sessions.translated_errors():
            async with self._writers.connection() as conn:
                await conn.execute("SELECT set_config('statement_timeout', '0', false)")
                try:
                    await conn.execute(f"VACUUM {_SCRUBBED}")
                finally:
                    await conn.execute(sessions.settings_statement(self._settings))

    def _check_right(self) -> None:
        """Raise StoreUnavailable if another process may be the owner."""
        if self._owner is not None and not self._owner.may_act:
            raise StoreUnavailable("another process may be the bot now")

    async def _repeated(
        self,
        work: Callable[[Connection], Awaitable[T]],
        names: Sequence[str],
        *,
        owner: Ownership | None,
    ) -> T:
        with sessions.translated_errors():
            for tries in range(_TRIES):
                try:
                    return await self._transaction(work, names, owner)
                except (errors.DeadlockDetected, errors.SerializationFailure):
                    await asyncio.sleep(random.uniform(0, 0.002 * 2 ** min(tries, 6)))
        raise StoreUnavailable(f"{_TRIES} deadlocks in a row")

    async def _transaction(
        self,
        work: Callable[[Connection], Awaitable[T]],
        names: Sequence[str],
        owner: Ownership | None,
    ) -> T:
        async with self._writers.connection() as conn:  # rolls back on an error
            xid = await _begin(conn, names, owner)
            result = await work(_Transaction(conn))
            try:
                await conn.execute("COMMIT")
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if not await self._was_committed(xid):
                    raise
            return result

    async def _was_committed(self, xid: str) -> bool:
        """Ask for the outcome of a COMMIT whose answer was lost, until the server answers.

        Raises StoreUnavailable once the database is closed.
        """
        for tries in itertools.count(1):
            try:
                [row] = await self._read(_STATUS, (xid,))
            except psycopg.DataError:
                return False  # unknown to a server after a failover
            except StoreUnavailable as exc:
                if isinstance(exc.__cause__, PoolClosed):
                    raise
            else:
                if row["status"] != "in progress":
                    return bool(row["status"] == "committed")
            await asyncio.sleep(
                backoff_s(tries, key=xid, first_s=_FIRST_PAUSE_S, max_s=_MAX_PAUSE_S)
            )
        raise AssertionError


async def _begin(conn: _Session, names: Sequence[str], owner: Ownership | None) -> str:
    """Begin a transaction under these locks, in one round trip, and return its id.

    Raises StoreUnavailable if the owner has a successor.
    """
    values: dict[str, object] = {"names": list(names)}
    if owner is not None:
        values |= {**owner.parameters, "fence": owner.fence}
    async with conn.pipeline():
        await conn.execute("BEGIN")
        cursor = await conn.execute(_BEGIN if owner is None else _BEGIN + _IS_OWNER, values)
    [row] = await cursor.fetchall()
    if owner is not None and not row["is_owner"]:
        raise StoreUnavailable("another process is the bot now, so nothing is written")
    return str(row["xid"])


def _pool(
    url: str, size: int, wait_s: float, settings: Mapping[str, str], *, kept: int = 1
) -> _Pool:
    async def configure(conn: _Session) -> None:
        sessions.prepare(conn)
        await conn.execute(sessions.settings_statement(settings))

    return AsyncConnectionPool(
        sessions.conninfo(url),
        connection_class=_Session,
        kwargs={"autocommit": True, "row_factory": sessions.rows},
        min_size=kept,
        max_size=size,
        open=False,
        configure=configure,
        check=_check,
        reset=_note_use,
        timeout=wait_s,
        reconnect_timeout=RECONNECT_S,
    )


async def _check(conn: _Session) -> None:
    if time.monotonic() - conn.used_at > _UNCHECKED_S:
        await AsyncConnectionPool.check_connection(conn)


async def _note_use(conn: _Session) -> None:
    conn.used_at = time.monotonic()
