"""Shards with one concurrency key get turns five seconds apart, whichever bot asks."""

import asyncio

import pytest

from storage.database.postgres import PostgresDatabase
from storage.groups.identify_turns import GAP_MS, IdentifyTurns

GAP_S = GAP_MS / 1000


async def test_the_first_turn_is_at_once_and_each_further_one_later(db: PostgresDatabase):
    bots = [IdentifyTurns(db=db) for _ in range(3)]
    waits = sorted(await asyncio.gather(*(bot.take(shard, 1) for shard, bot in enumerate(bots))))
    assert waits[0] == 0.0
    assert waits[1] == pytest.approx(GAP_S, abs=3.0)  # minus the time that the calls took
    assert waits[2] == pytest.approx(2 * GAP_S, abs=3.0)


async def test_shards_with_other_keys_do_not_wait(db: PostgresDatabase):
    turns = IdentifyTurns(db=db)
    waits = [await turns.take(shard, 2) for shard in range(3)]
    assert waits[:2] == [0.0, 0.0]
    assert waits[2] > GAP_S - 1


async def test_a_turn_long_ago_is_forgotten(db: PostgresDatabase):
    turns = IdentifyTurns(db=db)
    await turns.take(0, 1)
    await db.write(
        lambda conn: conn.execute("UPDATE meta SET value = CAST(value AS bigint) - 60000")
    )
    assert await turns.take(0, 1) == 0.0
