"""The database: one connection that writes, one that reads, and whole transactions only."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
from aiosqlite import Connection

from bot.domain.errors import StoreBroken, StoreUnavailable
from storage.database.schema import Migration, UnknownDatabase, migrate, migrations
from storage.files.ownership import is_writable, why_unusable

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
    }
)
"""Errors that another process or the disk causes, and that may pass."""
_LASTING = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""Errors from the file's owner or the mount, which only the operator can fix; all else is a bug."""
_PROBE = """
INSERT INTO meta (key, value) VALUES ('probe', '1')
ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) % 1000000 + 1
"""


class Database:
    """An open database. Use `open` to make one."""

    def __init__(self, *, path: Path, writer: Connection, reader: Connection) -> None:
        self._path = path
        self._file = _identity(path)
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
        """Open the file, creating it if needed, and bring its schema up to date.

        `durable` waits for the disk at every commit, as money needs. Raises UnknownDatabase,
        StoreBroken for a file that this user cannot write, with a sentence for the operator, and
        StoreUnavailable for one that is locked.
        """
        # Checked first, because aiosqlite leaves a thread behind if it cannot connect.
        if not is_writable(path):
            raise StoreBroken(why_unusable(path))
        writer = await _connect(path, busy_timeout_s)
        try:
            await _prepare(writer, path, durable, migrations() if steps is None else steps)
            reader = await _connect(path, busy_timeout_s)
            await reader.execute("PRAGMA query_only = ON")
        except StoreBroken as exc:
            await writer.close()
            raise StoreBroken(why_unusable(path)) from exc
        except BaseException:
            await writer.close()
            raise
        return cls(path=path, writer=writer, reader=reader)

    def is_in_place(self) -> bool:
        """Whether the file at the database's path is still the one that was opened."""
        return _identity(self._path) == self._file

    async def probe(self) -> None:
        """Write something that changes nothing. Raises StoreUnavailable, and StoreBroken."""
        await self.write(lambda conn: conn.execute(_PROBE))

    async def close(self) -> None:
        """Wait for running transactions, then close both connections."""
        if self._transactions:
            await asyncio.wait(self._transactions)
        await self._reader.close()
        await self._writer.close()  # last, because the last connection checkpoints

    async def read(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Return all rows of one query; each query sees one committed state."""
        with _translated():
            return list(await self._reader.execute_fetchall(sql, parameters))

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` as one transaction: committed when it returns, undone when it raises.

        If the caller is cancelled the transaction still ends, whole either way. `work` may await
        nothing but statements on the connection.
        Raises StoreUnavailable or StoreBroken, with nothing written.
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
        """Rewrite the files so that they hold nothing that was deleted. Raises StoreUnavailable.

        Pages that were rearranged may hold copies that `secure_delete` does not reach, and the
        write-ahead log holds older pages.
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
                if not self.is_in_place():
                    # Anything written would be lost with the process.
                    raise StoreBroken(f"{self._path} is no longer the file that was opened")
                try:
                    await self._writer.execute("BEGIN IMMEDIATE")
                    result = await work(self._writer)
                    await self._writer.commit()
                except BaseException:
                    await self._writer.rollback()  # does nothing if none is open
                    raise
                return result


async def _connect(path: Path, busy_timeout_s: float) -> Connection:
    with _translated():
        conn = await aiosqlite.connect(path, isolation_level=None, timeout=busy_timeout_s)
        conn.row_factory = sqlite3.Row
        await conn.execute("PRAGMA foreign_keys = ON")
        return conn


async def _prepare(conn: Connection, path: Path, durable: bool, steps: Sequence[Migration]) -> None:
    try:
        with _translated():
            # VACUUM needs as much space again, which a container's /tmp may not have.
            await conn.execute_fetchall(f"PRAGMA temp_store_directory = {_quoted(path.parent)}")
            await conn.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
            # Overwrites deleted data, so that personal data does not stay on free pages.
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
        match getattr(exc, "sqlite_errorcode", 0) & 0xFF:
            case code if code in _LASTING:
                raise StoreBroken(str(exc)) from exc
            case code if code in _PASSING:
                raise StoreUnavailable(str(exc)) from exc
            case _:
                raise


def _quoted(folder: Path) -> str:
    escaped = str(folder.absolute()).replace("'", "''")
    return f"'{escaped}'"


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _log_failure(transaction: "asyncio.Task[Any]") -> None:
    if not transaction.cancelled() and (exc := transaction.exception()):
        log.error("a transaction failed after its caller was cancelled", exc_info=exc)
