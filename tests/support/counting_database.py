"""A database that records its reads."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from storage.database.connection import Database
from storage.database.protocols import Connection, Cursor, Parameters, Row

T = TypeVar("T")


class CountingDatabase(Database):
    """Records each query, and each SELECT inside a write transaction.

    Reads of pseudonym keys in transactions are not counted, because they may generate the key.
    """

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.reads: list[str] = []

    async def read(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        self.reads.append(sql)
        return await super().read(sql, parameters)

    async def write(
        self, work: Callable[[Connection], Awaitable[T]], *, locks: Iterable[str] = ()
    ) -> T:
        async def counted(conn: Connection) -> T:
            watched: Any = _WatchedConnection(conn, self.reads)
            return await work(watched)

        return await super().write(counted, locks=locks)


class _WatchedConnection:
    """Passes statements on and records SELECTs."""

    def __init__(self, conn: Connection, reads: list[str]) -> None:
        self._conn = conn
        self._reads = reads

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Cursor:
        self._note(sql)
        return await self._conn.execute(sql, parameters)

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] = ()) -> Iterable[Row]:
        self._note(sql)
        return await self._conn.execute_fetchall(sql, parameters)

    def _note(self, sql: str) -> None:
        if sql.lstrip().upper().startswith(("SELECT", "WITH")) and "account_keys" not in sql:
            self._reads.append(sql)
