"""Commits SQLite transactions together that wait for the disk at the same time.

A commit waits until the disk has its data, which takes as long as the statements of a small
transaction. Transactions that arrive meanwhile share the next commit.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiosqlite import Connection

T = TypeVar("T")

_MOST = 16
"""Transactions in one commit: more would save little, and the first would wait for all."""


@dataclass(slots=True, kw_only=True)
class _Request:
    """A requested transaction, and how it ended."""

    work: Callable[[Connection], Awaitable[Any]]
    result: Any = None
    ended: "asyncio.Future[Any]" = field(default_factory=asyncio.Future)


class GroupCommit:
    """Runs transactions one after the other on one connection, and commits them in groups."""

    def __init__(self, conn: Connection, *, check: Callable[[], None]) -> None:
        """`check` is called before each group, and raises if the database must not be changed."""
        self._conn = conn
        self._check = check
        self._waiting: deque[_Request] = deque()
        self._writing = asyncio.Lock()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return what `work` returns, once that is committed.

        Raises the error of `work`, or the error that undid its whole group, with nothing written.
        """
        request = _Request(work=work)
        self._waiting.append(request)
        async with self._writing:
            if not request.ended.done():
                count = min(len(self._waiting), _MOST)
                await self._commit([self._waiting.popleft() for _ in range(count)])
        result: T = request.ended.result()
        return result

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Let no transaction run during the block."""
        async with self._writing:
            yield

    async def _commit(self, group: Sequence[_Request]) -> None:
        try:
            self._check()
            await self._conn.execute("BEGIN IMMEDIATE")
            for request in group:
                await self._run(request, is_alone=len(group) == 1)
            await self._conn.commit()
        except BaseException as exc:  # everyone in the group must be told, and nothing stay open
            for request in group:
                _fail(request, exc)
            await self._conn.rollback()  # no effect without an open transaction
            if not isinstance(exc, Exception):
                raise
        for request in group:
            if not request.ended.done():
                request.ended.set_result(request.result)

    async def _run(self, request: _Request, *, is_alone: bool) -> None:
        """Run one transaction; its own error ends only that one. Raises what undid the group."""
        if is_alone:
            request.result = await request.work(self._conn)
            return
        await self._conn.execute("SAVEPOINT request")
        try:
            request.result = await request.work(self._conn)
        except Exception as exc:  # raised to the caller whose transaction this is
            if not self._conn.in_transaction:  # SQLite itself undoes all of it on a full disk
                raise
            await self._conn.execute("ROLLBACK TO request")
            _fail(request, exc)
        await self._conn.execute("RELEASE request")


def _fail(request: _Request, cause: BaseException) -> None:
    if request.ended.done():
        return
    if isinstance(cause, Exception):
        request.ended.set_exception(cause)
    else:
        request.ended.cancel()
