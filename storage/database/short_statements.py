"""Runs short SQLite statements on the event loop's own thread.

Most statements take some 30 µs. Passing one to another thread and its result back takes several
times as long, and up to 5 ms each way while the event loop is busy, because the threads take turns.
Whatever turns out to be long, or has to wait, is interrupted and left to aiosqlite's thread.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from storage.database.protocols import Connection, Cursor, Parameters, Row

T = TypeVar("T")

STEPS = 10_000
"""Steps of SQLite's virtual machine, about 0.5 ms. Statements may take up to twice as many."""
_LEFT_TO_THE_THREAD = frozenset(
    {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
)


class TooLong(Exception):
    """Statements took too many steps, or had to wait. What they wrote must be rolled back."""


class ShortReads:
    """A read-only connection that is used on the event loop's thread."""

    def __init__(self, path: Path) -> None:
        """Open the existing file."""
        self._conn = sqlite3.connect(path, isolation_level=None, timeout=0)
        self._conn.row_factory = sqlite3.Row
        self._conn.execute("PRAGMA query_only = ON")
        self._budget = _Budget(self._conn)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Return all rows of a query. Raises TooLong, and the errors of sqlite3."""
        with self._budget.limited(), _too_long():
            return self._conn.execute(sql, parameters).fetchall()  # type: ignore[arg-type] # sequences and mappings

    def close(self) -> None:
        """Close the connection."""
        self._conn.close()


class ShortTransaction:
    """Runs transactions on a connection that another thread uses at other times."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._budget = _Budget(conn)
        self._statements = _Statements(conn)

    def result(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` within the open transaction, and return its result.

        Raises the error of `work`, or TooLong; SQLite may then have undone the transaction.
        """
        with self._budget.limited(), _too_long():
            steps = work(self._statements).__await__()
            try:
                next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            steps.close()
            raise TooLong


class _Statements:
    """Implements protocols.Connection without ever waiting."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    async def execute(self, sql: str, parameters: Parameters = (), /) -> Cursor:
        return self._conn.execute(sql, parameters)  # type: ignore[arg-type] # sequences and mappings

    async def execute_fetchall(self, sql: str, parameters: Parameters = (), /) -> Iterable[Row]:
        return self._conn.execute(sql, parameters).fetchall()  # type: ignore[arg-type] # sequences and mappings

    async def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> Cursor:
        return self._conn.executemany(sql, parameters)  # type: ignore[arg-type] # sequences and mappings


class _Budget:
    """Interrupts a connection's statements that take too many steps."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._calls = 0

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Limit the total number of steps of the block's statements."""
        self._calls = 0
        self._conn.set_progress_handler(self._is_spent, STEPS)
        try:
            yield
        finally:
            self._conn.set_progress_handler(None, 0)

    def _is_spent(self) -> bool:
        # A prepared statement's steps are counted over all of its runs, so the first call may come
        # at any time.
        self._calls += 1
        return self._calls > 1


@contextmanager
def _too_long() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as exc:
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _LEFT_TO_THE_THREAD:
            raise TooLong from exc
        raise
