"""Writes and counts rows of the simplest table, for tests of the databases themselves."""

import asyncio
from collections.abc import Awaitable, Callable

from storage.database.protocols import Connection, Database

PUT = "INSERT INTO meta (key, value) VALUES (?, ?)"
COUNT = "SELECT count(*) AS rows FROM meta"


async def rows(db: Database) -> int:
    """Return the number of rows."""
    [row] = await db.read(COUNT)
    return int(row["rows"])


def putting(*keys: str) -> Callable[[Connection], Awaitable[None]]:
    """Return a transaction that adds these keys and lets other tasks run in between."""

    async def work(conn: Connection) -> None:
        for key in keys:
            await conn.execute(PUT, (key, ""))
            await asyncio.sleep(0)

    return work
