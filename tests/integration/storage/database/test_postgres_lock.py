"""One process is the bot of a PostgreSQL database; others stand by and take over."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from bot.domain.errors import StoreUnavailable
from storage.database.postgres_lock import PostgresBotLock
from storage.database.protocols import TakenOver

PATIENCE_S = 15.0
HOLDERS = """
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@asynccontextmanager
async def a_lock(url: str, **options: Any) -> AsyncIterator[PostgresBotLock]:
    lock = PostgresBotLock(url, **options)
    try:
        yield lock
    finally:
        await lock.close()


async def end_holder(url: str) -> None:
    """Cut the holder's connection, as an outage does."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        for (pid,) in await (await conn.execute(HOLDERS)).fetchall():
            await conn.execute("SELECT pg_terminate_backend(%s)", (pid,))


async def test_the_second_stands_by_with_one_line_until_the_first_is_gone(
    url: str, caplog: pytest.LogCaptureFixture
):
    async with a_lock(url) as first, a_lock(url) as second:
        await first.acquire()
        with caplog.at_level(logging.WARNING):
            waiting = asyncio.create_task(second.acquire())
            await asyncio.sleep(2.5)
        assert not waiting.done()
        [record] = [each for each in caplog.records if each.name.endswith("postgres_lock")]
        assert "another process is the bot of this database" in record.getMessage()
        await first.close()
        await asyncio.wait_for(waiting, PATIENCE_S)
        assert not await first.try_once()


async def test_other_shard_groups_have_locks_of_their_own(url: str):
    async with a_lock(url) as first, a_lock(url, group=1) as second:
        assert await first.try_once()
        assert await second.try_once()


async def test_an_owner_that_lost_its_connection_takes_the_lock_again(url: str):
    async with a_lock(url) as owner, a_lock(url) as other:
        await owner.acquire()
        watching = asyncio.create_task(owner.watch())
        await end_holder(url)
        await asyncio.sleep(2.5)
        assert not watching.done()
        assert not await other.try_once()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_an_owner_that_was_replaced_is_told(url: str):
    async with a_lock(url) as owner, a_lock(url) as successor:
        await owner.acquire()
        await end_holder(url)
        assert await successor.try_once()
        with pytest.raises(TakenOver, match="Another process has become the bot"):
            await asyncio.wait_for(owner.watch(), PATIENCE_S)


async def test_a_server_that_is_away_is_waited_for(caplog: pytest.LogCaptureFixture):
    nowhere = "postgresql://stemcord@127.0.0.1:1/stemcord"
    async with a_lock(nowhere) as lock:
        with pytest.raises(StoreUnavailable):
            await lock.try_once()
        waiting = asyncio.create_task(lock.acquire())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
