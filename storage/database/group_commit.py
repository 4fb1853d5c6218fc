"""Commits SQLite transactions in groups, so that each group waits for the disk only once.

A commit waits until the disk has its data, which takes longer than the statements of a small
transaction. Transactions that arrive meanwhile share the next commit. Their statements run on the
event loop's thread if they are short; BEGIN, which may wait for another process, and COMMIT run on
the connection's own thread.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiosqlite

from bot.domain.errors import StoreUnavailable
from storage.database.protocols import Connection
from storage.database.short_statements import ShortTransaction, TooLong

T = TypeVar("T")

_MOST = 16
"""Transactions in one commit: more would save little, and the first would wait for all."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Request:
    """A requested transaction, and how it ended."""

    work: Callable[[Connection], Awaitable[Any]]
    result: Any = None
    ended: "asyncio.Future[Any]" = field(default_factory=asyncio.Future)


class GroupCommit:
    """Runs transactions one after the other on one connection, and commits them in groups."""

    def __init__(
        self, conn: aiosqlite.Connection, raw: sqlite3.Connection, *, check: Callable[[], None]
    ) -> None:
        """Write on the connection `conn`, whose sqlite3 object `raw` is usable on any thread.

        `check` is called before each group, and raises if the database must not be changed.
        """
        self._conn = conn
        self._raw = raw
        self._short = ShortTransaction(raw)
        self._check = check
        self._waiting: deque[_Request] = deque()
        self._writing = asyncio.Lock()
        self._is_closed = False

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return what `work` returns, once that is committed.

        Raises the error of `work`, or the error that undid its whole group, with nothing written;
        StoreUnavailable after `close`.
        """
        request = _Request(work=work)
        self._waiting.append(request)
        try:
            async with self._writing:
                if not request.ended.done():
                    if self._is_closed:
                        raise StoreUnavailable("the database is closed")
                    count = min(len(self._waiting), _MOST)
                    await self._commit([self._waiting.popleft() for _ in range(count)])
        except BaseException:  # refused, or cancelled at the end of the process
            with suppress(ValueError):  # its group may already be running
                self._waiting.remove(request)
            raise
        result: T = request.ended.result()
        return result

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Let no transaction run during the block."""
        async with self._writing:
            yield

    async def close(self) -> None:
        """Close the connection once no transaction uses it; those that wait are refused.

        A statement on one thread while another closes its connection would crash the process.
        """
        async with self.paused():
            self._is_closed = True
            await self._conn.close()

    async def _commit(self, group: Sequence[_Request]) -> None:
        try:
            self._check()
            await self._conn.execute("BEGIN IMMEDIATE")
            try:
                self._run_here(group)
            except TooLong:
                await self._run_on_thread([each for each in group if not each.ended.done()])
            await self._conn.commit()
        except BaseException as exc:  # all callers must be told, and nothing may stay open
            for request in group:
                _fail(request, exc)
            await self._conn.rollback()  # no effect without an open transaction
            if not isinstance(exc, Exception):
                raise
        for request in group:
            if not request.ended.done():
                request.ended.set_result(request.result)

    def _run_here(self, group: Sequence[_Request]) -> None:
        """Run transactions on this thread. Raises TooLong, or what undid the whole group."""
        for request in group:
            with self._savepoint(request, is_alone=len(group) == 1):
                request.result = self._short.result(request.work)

    async def _run_on_thread(self, group: Sequence[_Request]) -> None:
        """Run transactions again, on the connection's thread. Raises what undid the whole group."""
        await self._conn.rollback()
        await self._conn.execute("BEGIN IMMEDIATE")
        for request in group:
            with self._savepoint(request, is_alone=len(group) == 1):
                request.result = await request.work(self._conn)

    @contextmanager
    def _savepoint(self, request: _Request, *, is_alone: bool) -> Iterator[None]:
        """Let an error undo only its own transaction. Raises what undid the whole group."""
        if is_alone:
            yield
            return
        self._raw.execute("SAVEPOINT request")
        try:
            yield
        except TooLong:
            raise
        except Exception as exc:  # raised to the caller whose transaction this is
            if not self._raw.in_transaction:  # SQLite undid the group, as on a full disk
                raise
            self._raw.execute("ROLLBACK TO request")
            _fail(request, exc)
        self._raw.execute("RELEASE request")


def _fail(request: _Request, cause: BaseException) -> None:
    if request.ended.done():
        return
    if isinstance(cause, Exception):
        request.ended.set_exception(cause)
    else:
        request.ended.cancel()
