import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.database.connection import Database
from storage.database.protocols import Connection
from storage.database.short_statements import ShortReads, TooLong
from tests.support.meta_rows import COUNT, PUT, rows

MANY = 200_000
LONG = f"""
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY})
SELECT count(*) AS numbers FROM numbers
"""
LONG_PUT = f"""
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY // 10})
INSERT INTO meta (key, value) SELECT 'long ' || n, '' FROM numbers
"""


@dataclass
class Loop:
    """How often other tasks had their turn."""

    turns: int = 0


@asynccontextmanager
async def watched_loop() -> AsyncIterator[Loop]:
    """Count the turns of the event loop during the block."""
    loop = Loop()

    async def count() -> None:
        while True:
            loop.turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    try:
        yield loop
    finally:
        counting.cancel()


async def short(conn: Connection) -> None:
    await conn.execute(PUT, ("short", ""))


async def long(conn: Connection) -> None:
    await conn.execute(LONG_PUT)


async def test_a_short_query_is_answered_at_once(db: Database):
    async with watched_loop() as loop:
        assert await rows(db) == 0
    assert loop.turns == 0


async def test_a_long_query_leaves_the_loop_to_others(db: Database):
    async with watched_loop() as loop:
        [row] = await db.read(LONG)
    assert row["numbers"] == MANY
    assert loop.turns > 0


async def test_queries_that_are_short_again_and_again_are_never_taken_for_a_long_one(db: Database):
    await db.write(lambda conn: conn.executemany(PUT, [(f"{n}", "") for n in range(500)]))
    async with watched_loop() as loop:
        for _ in range(300):
            assert await rows(db) == 500
            await db.read("SELECT key FROM meta WHERE value > 'a'")
    assert loop.turns == 0


def test_what_is_locked_out_is_left_to_another_thread(path: Path):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE meta (key TEXT)")
        with closing(ShortReads(path)) as short_reads:
            assert short_reads.rows(COUNT)[0]["rows"] == 0
            other.execute("BEGIN EXCLUSIVE")  # locks readers out, since this file is in no WAL mode
            with pytest.raises(TooLong):
                short_reads.rows(COUNT)
            other.execute("ROLLBACK")
            assert short_reads.rows(COUNT)[0]["rows"] == 0


async def test_a_long_transaction_leaves_the_loop_to_others_and_is_written_once(db: Database):
    async with watched_loop() as loop:
        await db.write(long)
    assert await rows(db) == MANY // 10
    assert loop.turns > 10


async def test_a_transaction_that_becomes_long_late_is_undone_and_written_once(db: Database):
    async def late(conn: Connection) -> None:
        await short(conn)
        await long(conn)

    await db.write(late)
    assert await rows(db) == MANY // 10 + 1


async def test_a_long_query_in_a_transaction_sees_what_that_wrote(db: Database):
    async def counting(conn: Connection) -> tuple[int, int]:
        await short(conn)
        [long_row] = await conn.execute_fetchall(LONG)
        [row] = await conn.execute_fetchall("SELECT count(*) AS rows FROM meta")
        return long_row["numbers"], row["rows"]

    assert await db.write(counting) == (MANY, 1)
    assert await rows(db) == 1


async def test_a_long_transaction_costs_the_others_of_its_group_nothing(db: Database):
    tries = 0

    async def refused(conn: Connection) -> None:
        nonlocal tries
        tries += 1
        await conn.execute(PUT, ("refused", ""))
        raise ValueError

    async def own(conn: Connection) -> None:
        await conn.execute(PUT, ("own", ""))

    # The first is committed alone, and the others meanwhile become a group.
    works = [own, short, refused, long, refused]
    outcomes = await asyncio.gather(*map(db.write, works), return_exceptions=True)
    assert [type(each) for each in outcomes] == [type(None)] * 2 + [
        ValueError,
        type(None),
        ValueError,
    ]
    assert tries == 2
    assert await rows(db) == MANY // 10 + 2


async def test_a_transaction_that_waits_for_something_is_run_from_its_start(db: Database):
    begun: list[str] = []

    async def waiting(conn: Connection) -> None:
        begun.append("again")
        await short(conn)
        await asyncio.sleep(0)

    await db.write(waiting)
    assert await rows(db) == 1
    assert begun == ["again", "again"]
