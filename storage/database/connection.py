"""The SQLite connections: one for write transactions, one for short reads, and one for the others.

Short statements run on the event loop's thread, and everything else on a thread of aiosqlite's.
"""

import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

import aiosqlite

from bot.domain.errors import StoreBroken, StoreUnavailable
from storage.database.group_commit import GroupCommit
from storage.database.protocols import Connection, ConstraintViolated, Parameters
from storage.database.schema import Migration, UnknownDatabase, migrate, migrations
from storage.database.short_statements import ShortReads, TooLong
from storage.database.transactions import Transactions
from storage.files.ownership import is_writable, why_unusable

T = TypeVar("T")

_RANDOM_BITS = 62
"""The bits of a random id, which fits into an INTEGER column with either sign."""
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
    }
)
"""Temporary errors caused by another process or the disk."""
_LASTING = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""Permission and mount errors, which only the operator can fix. Any other error is a bug."""
_PROBE = """
INSERT INTO meta (key, value) VALUES ('probe', '1')
ON CONFLICT (key) DO UPDATE SET value = CAST(meta.value AS bigint) % 1000000 + 1
"""


class Database:
    """An open database, created with `open`."""

    def __init__(
        self,
        *,
        path: Path,
        writer: aiosqlite.Connection,
        raw_writer: sqlite3.Connection,
        reader: aiosqlite.Connection,
        short_reads: ShortReads,
    ) -> None:
        self._path = path
        self._file = _identity(path)
        self._writer = writer
        self._reader = reader
        self._short_reads = short_reads
        self._group_commit = GroupCommit(writer, raw_writer, check=self._must_be_in_place)
        self._transactions = Transactions()

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

        With `durable`, every commit is synced to disk before it returns. Raises UnknownDatabase,
        StoreBroken with a sentence for the operator if this user cannot write the file, and
        StoreUnavailable if it is locked.
        """
        # Checked first because aiosqlite leaves a thread behind if it cannot connect.
        if not is_writable(path):
            raise StoreBroken(why_unusable(path))
        writer, raw_writer = await _connect(path, busy_timeout_s)
        try:
            await _prepare(writer, path, durable, migrations() if steps is None else steps)
            reader, _ = await _connect(path, busy_timeout_s)
            await reader.execute("PRAGMA query_only = ON")
            short_reads = ShortReads(path)
        except StoreBroken as exc:
            await writer.close()
            raise StoreBroken(why_unusable(path)) from exc
        except BaseException:
            await writer.close()
            raise
        return cls(
            path=path,
            writer=writer,
            raw_writer=raw_writer,
            reader=reader,
            short_reads=short_reads,
        )

    def is_in_place(self) -> bool:
        """Return whether the file at the database's path is still the one that was opened."""
        return _identity(self._path) == self._file

    async def probe(self) -> None:
        """Check that the database accepts writes. Raises StoreUnavailable or StoreBroken."""
        await self.write(lambda conn: conn.execute(_PROBE))

    async def close(self) -> None:
        """Wait for running transactions, then close all connections."""
        await self._transactions.wait()
        self._short_reads.close()
        await self._reader.close()
        await self._group_commit.close()  # the last connection to close runs the checkpoint

    async def read(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Return all rows of one query, which sees a single committed state."""
        with _translated():
            try:
                return self._short_reads.rows(sql, parameters)
            except TooLong:
                return list(await self._reader.execute_fetchall(sql, parameters))

    async def write(
        self, work: Callable[[Connection], Awaitable[T]], *, locks: Iterable[str] = ()
    ) -> T:
        """Run `work` in a transaction, committed when it returns and rolled back when it raises.

        Transactions run one after the other, so `locks` are not needed here, and those that wait
        at the same time are committed together. If the caller is cancelled, the transaction still
        runs to its end. `work` may only await statements on the connection. Raises
        ConstraintViolated, StoreUnavailable or StoreBroken, with nothing written.
        """
        del locks
        return await self._transactions.run(self._transaction(work))

    async def scrub(self) -> None:
        """Rewrite the files without any trace of deleted data. Raises StoreUnavailable.

        `secure_delete` alone is not enough: it misses copies left behind when SQLite rearranges
        pages, and the write-ahead log holds older pages.
        """
        with _translated():
            async with self._group_commit.paused():
                await self._writer.execute("VACUUM")
                [done] = await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        if done["busy"]:
            raise StoreUnavailable("the write-ahead log is in use")

    async def _transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        with _translated():
            return await self._group_commit.run(work)

    def _must_be_in_place(self) -> None:
        if not self.is_in_place():
            # The opened file is unlinked: writes to it would be lost when the process ends.
            raise StoreBroken(f"{self._path} is no longer the file that was opened")


async def _connect(
    path: Path, busy_timeout_s: float
) -> tuple[aiosqlite.Connection, sqlite3.Connection]:
    """Open a connection; return its aiosqlite object and its sqlite3 object."""
    with _translated():
        raw = sqlite3.connect(
            path, isolation_level=None, timeout=busy_timeout_s, check_same_thread=False
        )
        raw.row_factory = sqlite3.Row
        conn = await aiosqlite.Connection(lambda: raw, iter_chunk_size=1)
        await conn.execute("PRAGMA foreign_keys = ON")
        await conn.create_function("random_id", 0, lambda: secrets.randbits(_RANDOM_BITS))
        return conn, raw


async def _prepare(
    conn: aiosqlite.Connection, path: Path, durable: bool, steps: Sequence[Migration]
) -> None:
    try:
        with _translated():
            # VACUUM needs as much free space as the database occupies, which a container's /tmp may
            # lack.
            await conn.execute_fetchall(f"PRAGMA temp_store_directory = {_quoted(path.parent)}")
            await conn.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
            # Overwrite deleted data, so that no personal data stays on free pages.
            await conn.execute_fetchall("PRAGMA secure_delete = ON")
            await migrate(conn, steps)  # raises before changing an unknown file
            # The row is fetched because an unread row would keep the file locked.
            await conn.execute_fetchall("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as exc:
        if getattr(exc, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB:
            raise
        raise UnknownDatabase("The database file is not an SQLite database.") from exc


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as exc:
        raise ConstraintViolated(str(exc)) from exc
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
