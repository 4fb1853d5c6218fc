"""The database: one writing and one reading connection, and whole transactions only."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
from aiosqlite import Connection

from bot.domain.errors import StoreUnavailable
from storage.database.schema import Migration, UnknownDatabase, migrate, migrations

log = logging.getLogger(__name__)

T = TypeVar("T")
Parameters = Iterable[Any]
"""What sqlite3 binds: a sequence for `?`, a mapping for `:name`."""

_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)
"""What another process, the disk or the mount causes and may mend; anything else is a bug."""


class Database:
    """An open database. Made by `open`, ended by `close`."""

    def __init__(self, *, writer: Connection, reader: Connection) -> None:
        self._writer = writer
        self._reader = reader
        self._writing = asyncio.Lock()
        self._transactions: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        durable: bool = True,
        busy_timeout_s: float = 1.0,
        steps: Sequence[Migration] | None = None,
    ) -> Self:
        """Open the file, made if need be, and bring its schema up to date.

        `durable` waits for the disk at every commit, as money needs. Raises UnknownDatabase.
        """
        writer = await _connect(path, busy_timeout_s)
        try:
            await _prepare(writer, durable, migrations() if steps is None else steps)
            reader = await _connect(path, busy_timeout_s)
            await reader.execute("PRAGMA query_only = ON")
        except BaseException:
            await writer.close()
            raise
        return cls(writer=writer, reader=reader)

    async def close(self) -> None:
        """Let running transactions end, then close both connections."""
        if self._transactions:
            await asyncio.wait(self._transactions)
        await self._reader.close()
        await self._writer.close()  # last, because whoever is last checkpoints

    async def read(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Return all rows of one query; each query sees one committed state."""
        with _translated():
            return list(await self._reader.execute_fetchall(sql, parameters))

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` as one transaction: committed when it returns, undone when it raises.

        A caller that is cancelled leaves the transaction to end on its own, whole either way.
        Nothing but statements on the connection may be awaited in `work`.
        Raises StoreUnavailable, with nothing written.
        """
        transaction = asyncio.create_task(self._transaction(work))
        self._transactions.add(transaction)
        transaction.add_done_callback(self._transactions.discard)
        try:
            # Unlike an await of the task itself, wait() does not hand a cancellation on to it.
            await asyncio.wait({transaction})
        except asyncio.CancelledError:
            transaction.add_done_callback(_log_failure)
            raise
        return transaction.result()

    async def scrub(self) -> None:
        """Leave nothing in the files of what was deleted or replaced. Raises StoreUnavailable.

        Pages that were once rearranged may hold copies that overwriting does not reach, and the
        write-ahead log holds older pages; so both are written anew.
        """
        with _translated():
            async with self._writing:
                await self._writer.execute("VACUUM")
                [done] = await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        if done["busy"]:
            raise StoreUnavailable("the write-ahead log is in use")

    async def _transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        with _translated():
            async with self._writing:
                try:
                    await self._writer.execute("BEGIN IMMEDIATE")
                    result = await work(self._writer)
                    await self._writer.commit()
                except BaseException:
                    await self._writer.rollback()  # does nothing where none is open
                    raise
                return result


async def _connect(path: Path, busy_timeout_s: float) -> Connection:
    with _translated():
        conn = await aiosqlite.connect(path, isolation_level=None, timeout=busy_timeout_s)
        conn.row_factory = sqlite3.Row
        await conn.execute("PRAGMA foreign_keys = ON")
        return conn


async def _prepare(conn: Connection, durable: bool, steps: Sequence[Migration]) -> None:
    try:
        with _translated():
            await conn.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
            # What is deleted is overwritten, so that what somebody wants forgotten is.
            await conn.execute_fetchall("PRAGMA secure_delete = ON")
            await migrate(conn, steps)  # refuses a file before anything changes it
            # Fetched, because a row left unread would keep the file locked.
            await conn.execute_fetchall("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as exc:
        if getattr(exc, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB:
            raise
        raise UnknownDatabase("The database file is not an SQLite database.") from exc


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as exc:
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF not in _PASSING:
            raise
        raise StoreUnavailable(str(exc)) from exc


def _log_failure(transaction: "asyncio.Task[Any]") -> None:
    if not transaction.cancelled() and (exc := transaction.exception()):
        log.error("a transaction failed after its caller had gone", exc_info=exc)
