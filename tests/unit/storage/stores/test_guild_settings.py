import asyncio
from collections.abc import Awaitable

import pytest

from bot.domain.guilds import Block, DeliveryMode, GuildRules, RulesChange
from bot.domain.job import UserId
from bot.domain.recipes import AudioFormat, Recipe
from storage.database.protocols import Database
from storage.stores.guild_settings import GuildStore
from tests.support.domain_factories import ADMIN, USER, StillClock

GUILD, ELSEWHERE = 2**61 + 5, 8
RULES = GuildRules(
    channel_ids=frozenset({2**61 + 7, 9}),
    recipe=Recipe.NO_DRUMS,
    audio_format=AudioFormat.FLAC,
    delivery=DeliveryMode.LINKS,
    is_private=True,
)


@pytest.fixture
def servers(db: Database) -> GuildStore:
    return GuildStore(db=db, clock=StillClock())


async def test_a_server_without_rules_leaves_everything_open(servers: GuildStore):
    rules = await servers.rules(GUILD)
    assert rules == GuildRules()
    assert rules.allows(1, None)


@pytest.mark.parametrize("rules", [RULES, GuildRules(is_private=False), GuildRules()])
async def test_rules_come_back_as_they_were_set(servers: GuildStore, rules: GuildRules):
    await servers.change_rules(GUILD, lambda _: RULES, by=ADMIN)
    assert await servers.change_rules(GUILD, lambda _: rules, by=ADMIN) == rules
    assert await servers.rules(GUILD) == rules
    assert await servers.rules(ELSEWHERE) == GuildRules()


async def test_two_managers_who_change_rules_at_once_lose_nothing(servers: GuildStore):
    def switch(channel_id: int) -> Awaitable[GuildRules]:
        change = RulesChange(switched_channel_id=channel_id)
        return servers.change_rules(GUILD, change.apply, by=ADMIN)

    await asyncio.gather(*map(switch, range(1, 21)))
    assert (await servers.rules(GUILD)).channel_ids == frozenset(range(1, 21))


async def test_a_change_that_changes_nothing_leaves_no_row(servers: GuildStore, db: Database):
    await servers.change_rules(GUILD, RulesChange().apply, by=ADMIN)
    assert await db.read("SELECT guild_id FROM servers") == []


async def test_a_block_reaches_as_far_as_it_says(servers: GuildStore):
    assert await servers.block(USER, GUILD, by=ADMIN)
    assert await servers.block_of(USER, GUILD) is Block.HERE
    assert await servers.block_of(USER, ELSEWHERE) is None
    assert await servers.block_of(USER, None) is None
    assert await servers.block(USER, None, by=ADMIN)
    for guild_id in (GUILD, ELSEWHERE, None):
        assert await servers.block_of(USER, guild_id) is Block.EVERYWHERE
    assert await servers.block_of(UserId(8), GUILD) is None


async def test_blocking_again_is_nothing_new(servers: GuildStore):
    assert await servers.block(USER, GUILD, by=ADMIN)
    assert not await servers.block(USER, GUILD, by=ADMIN)


async def test_lifting_one_block_leaves_the_other(servers: GuildStore):
    await servers.block(USER, GUILD, by=ADMIN)
    await servers.block(USER, None, by=ADMIN)
    assert await servers.unblock(USER, None)
    assert await servers.block_of(USER, GUILD) is Block.HERE
    assert await servers.unblock(USER, GUILD)
    assert not await servers.unblock(USER, GUILD)
    assert await servers.block_of(USER, GUILD) is None
