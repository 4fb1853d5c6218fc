"""One process is the bot of a shard group; others stand by and take over."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from bot.domain.backoff import REMIND_EVERY_S
from bot.domain.errors import StoreUnavailable
from storage.database.postgres import PostgresDatabase
from storage.database.protocols import TakenOver
from storage.groups import group_lock
from storage.groups.group_lock import MAY_ACT_S, PostgresGroupLock
from storage.groups.shard_group import ShardGroup
from storage.stores.meta import Meta

PATIENCE_S = 15.0
FIRST, SECOND = ShardGroup(0, 0, 2), ShardGroup(1, 1, 2)
HOLDERS = """
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Elapsed:
    """A clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def a_lock(url: str, **options: Any) -> AsyncIterator[PostgresGroupLock]:
    lock = PostgresGroupLock(url, **options)
    try:
        yield lock
    finally:
        await lock.close()


@asynccontextmanager
async def owned(url: str, lock: PostgresGroupLock) -> AsyncIterator[Meta]:
    """Open the database as the lock's owner."""
    db = await PostgresDatabase.open(url, owner=lock)
    try:
        yield Meta(db=db)
    finally:
        await db.close()


async def end_holder(url: str) -> None:
    """Cut the holder's connection, as an outage does."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        for (pid,) in await (await conn.execute(HOLDERS)).fetchall():
            await conn.execute("SELECT pg_terminate_backend(%s)", (pid,))


def acts(lock: PostgresGroupLock) -> bool:
    return lock.may_act


def lines_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == group_lock.__name__]


async def test_the_second_stands_by_with_one_line_until_the_first_is_gone(
    url: str, caplog: pytest.LogCaptureFixture
):
    async with a_lock(url) as first, a_lock(url) as second:
        await first.acquire()
        with caplog.at_level(logging.WARNING):
            waiting = asyncio.create_task(second.acquire())
            await asyncio.sleep(2.5)
        assert not waiting.done()
        [line] = lines_in(caplog)
        assert "another process is the bot of this database; standing by" in line
        await first.close()
        await asyncio.wait_for(waiting, PATIENCE_S)
        assert not await first.try_once()


async def test_groups_of_one_division_run_side_by_side(url: str):
    async with a_lock(url, shards=FIRST) as first, a_lock(url, shards=SECOND) as second:
        assert await first.try_once()
        assert await second.try_once()


@pytest.mark.parametrize("other", ["0/2", "0-1/2"])
async def test_a_shard_has_one_owner_in_groups_that_overlap_too(url: str, other: str):
    async with (
        a_lock(url, shards=FIRST) as first,
        a_lock(url, shards=ShardGroup.parse(other)) as late,
        a_lock(url, shards=SECOND) as second,
    ):
        assert await first.try_once()
        assert not await late.try_once()
        assert await second.try_once()  # the refused lock holds no part of its group


async def test_two_numbers_of_shards_never_run_together_and_the_second_says_so(
    url: str, caplog: pytest.LogCaptureFixture
):
    async with a_lock(url, shards=FIRST) as first, a_lock(url, shards=ShardGroup(3, 3, 4)) as late:
        assert await first.try_once()
        with caplog.at_level(logging.WARNING):
            waiting = asyncio.create_task(late.acquire())
            await asyncio.sleep(1.5)
            [line] = lines_in(caplog)
            assert "among 2 shards, not 4" in line
            await first.close()
            await asyncio.wait_for(waiting, PATIENCE_S)
    async with a_lock(url) as whole, a_lock(url, shards=FIRST) as part:
        assert await whole.try_once()
        assert not await part.try_once()


async def test_an_owner_that_lost_its_connection_takes_the_lock_again(url: str):
    async with a_lock(url) as owner, a_lock(url) as other:
        await owner.acquire()
        async with owned(url, owner) as meta:
            watching = asyncio.create_task(owner.watch())
            before = owner.fence
            await end_holder(url)
            await asyncio.sleep(2.5)
            assert not watching.done()
            assert not await other.try_once()
            assert owner.fence != before
            await meta.put("by", "the owner")
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def test_an_owner_that_was_replaced_is_told(url: str):
    async with a_lock(url) as owner, a_lock(url) as successor:
        await owner.acquire()
        await owner.begin()
        await end_holder(url)
        assert await successor.try_once()
        await successor.begin()
        with pytest.raises(TakenOver, match="Another process has become the bot"):
            await asyncio.wait_for(owner.watch(), PATIENCE_S)


async def test_an_owner_is_told_of_a_successor_that_has_ended_too(url: str):
    async with a_lock(url) as owner, a_lock(url) as successor:
        await owner.acquire()
        await owner.begin()
        await end_holder(url)
        assert await successor.try_once()
        await successor.begin()
        await successor.close()
        with pytest.raises(TakenOver):
            await asyncio.wait_for(owner.watch(), PATIENCE_S)


async def test_an_earlier_owner_writes_nothing(url: str):
    elapsed = Elapsed()
    async with a_lock(url, elapsed_s=elapsed) as owner, a_lock(url) as successor:
        assert await owner.try_once()
        async with owned(url, owner) as meta:
            await meta.put("by", "the owner")
            await end_holder(url)
            assert await successor.try_once()
            async with owned(url, successor) as its_meta:
                await its_meta.put("by", "its successor")
                # The owner's clock stands still, so it believes that it may act.
                assert acts(owner)
                with pytest.raises(StoreUnavailable, match="another process is the bot now"):
                    await meta.put("by", "the owner again")
                assert await its_meta.get("by") == "its successor"


async def test_an_owner_of_an_earlier_division_writes_nothing(url: str):
    async with a_lock(url, shards=FIRST) as owner, a_lock(url) as successor:
        assert await owner.try_once()
        async with owned(url, owner) as meta:
            await end_holder(url)
            assert await successor.try_once()
            await successor.begin()
            with pytest.raises(StoreUnavailable, match="another process is the bot now"):
                await meta.put("by", "the owner again")


async def test_groups_do_not_fence_each_other(url: str):
    async with a_lock(url, shards=FIRST) as first, a_lock(url, shards=SECOND) as second:
        assert await first.try_once()
        async with owned(url, first) as meta:
            assert await second.try_once()
            await second.begin()
            await meta.put("by", "the first")
            assert await meta.get("by") == "the first"


async def test_a_new_owner_waits_for_a_transaction_under_way(url: str):
    async with a_lock(url) as owner, a_lock(url) as successor:
        assert await owner.try_once()
        db = await PostgresDatabase.open(url, owner=owner)
        begun, finish = asyncio.Event(), asyncio.Event()

        async def work(conn: Any) -> None:
            begun.set()
            await finish.wait()
            await conn.execute("INSERT INTO meta (key, value) VALUES ('by', 'the owner')")

        writing = asyncio.create_task(db.write(work))
        await begun.wait()
        await end_holder(url)
        assert await successor.try_once()
        beginning = asyncio.create_task(successor.begin())
        await asyncio.sleep(0.3)
        assert not beginning.done()
        finish.set()
        await writing
        await beginning
        await db.close()


async def test_an_owner_acts_until_its_own_deadline_only(url: str):
    elapsed = Elapsed()
    async with a_lock(url, elapsed_s=elapsed) as owner:
        assert not acts(owner)
        assert await owner.try_once()
        async with owned(url, owner) as meta:
            elapsed.seconds += MAY_ACT_S - 0.1
            assert acts(owner)
            elapsed.seconds += 0.2
            assert not acts(owner)
            with pytest.raises(StoreUnavailable, match="may be the bot"):
                await meta.get("by")
            with pytest.raises(StoreUnavailable, match="may be the bot"):
                await meta.put("by", "the owner")
            # The lock is still held, so the owner may act again after the next answer.
            watching = asyncio.create_task(owner.watch())
            await asyncio.sleep(2.5)
            assert acts(owner)
            await meta.put("by", "the owner")
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def test_a_standby_that_lost_the_server_lets_the_owner_ask_first(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(group_lock, "FIRST_REFUSAL_S", 3.0)
    async with a_lock(url) as owner, a_lock(url) as standby:
        await owner.acquire()
        await owner.begin()
        waiting = asyncio.create_task(standby.acquire())
        await asyncio.sleep(1.5)
        await end_all(url)  # as a restart of the server does
        watching = asyncio.create_task(owner.watch())
        await asyncio.sleep(6)
        assert not watching.done()
        assert not waiting.done()
        for task in (watching, waiting):
            task.cancel()
        await asyncio.gather(watching, waiting, return_exceptions=True)


async def end_all(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_server_that_is_away_is_waited_for_with_one_line_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(group_lock, "PING_EVERY_S", 0.1)
    elapsed = Elapsed()
    nowhere = "postgresql://stemcord@127.0.0.1:1/stemcord"
    async with a_lock(nowhere, elapsed_s=elapsed) as lock:
        with pytest.raises(StoreUnavailable):
            await lock.try_once()
        waiting = asyncio.create_task(lock.acquire())
        await asyncio.sleep(0.5)
        assert len(lines_in(caplog)) == 1
        elapsed.seconds += REMIND_EVERY_S
        await asyncio.sleep(0.3)
        assert len(lines_in(caplog)) == 2
        assert not waiting.done()
        assert not lock.is_reached
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_an_owner_whose_server_is_away_says_so_once_a_minute(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(group_lock, "PING_EVERY_S", 0.05)
    async with a_lock(url, elapsed_s=Elapsed()) as owner:
        assert await owner.try_once()
        await owner.begin()
        await end_holder(url)
        monkeypatch.setattr(owner, "_url", "postgresql://stemcord@127.0.0.1:1/stemcord")
        watching = asyncio.create_task(owner.watch())
        await asyncio.sleep(0.6)
        assert not watching.done()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    [line] = lines_in(caplog)
    assert "the lock of the database is out of reach" in line
