"""A standing, read in one statement, agrees with the individual stores."""

import pytest

from bot.domain.guilds import Block, GuildRules, Subject
from bot.domain.job import Membership
from bot.domain.periods import PeriodKind, period_at
from bot.domain.recipes import Recipe
from storage.database.protocols import Database
from storage.stores.allowances import Allowances
from storage.stores.guild_pools import GuildPools
from storage.stores.guild_settings import GuildStore
from storage.stores.ledger import Ledger
from storage.stores.standing import Standing, Standings
from tests.support.domain_factories import ADMIN, TODAY, USER, StillClock

GUILD, SINGERS = 2**61 + 5, 33
HERE = Membership(guild_id=GUILD, role_ids=(GUILD, SINGERS))
PLAIN = 60


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


async def standing(db: Database, membership: Membership | None = HERE) -> Standing:
    return await Standings(db=db).standing(USER, membership, TODAY, plain=PLAIN)


async def test_somebody_of_whom_nothing_is_known_may_ask_everywhere(db: Database) -> None:
    for membership in (HERE, None):
        found = await standing(db, membership)
        assert (found.block, found.rules, found.shared) == (None, GuildRules(), None)
        assert (found.own.total, found.own.left) == (PLAIN, PLAIN)


async def test_a_standing_has_what_was_decided_and_given(db: Database, clock: StillClock) -> None:
    servers = GuildStore(db=db, clock=clock)
    rules = GuildRules(recipe=Recipe.DRUMS, channel_ids=frozenset({5}), is_private=True)
    await servers.change_rules(GUILD, lambda _: rules, by=ADMIN)
    await servers.block(USER, GUILD, by=ADMIN)
    await Allowances(db=db, clock=clock).give(Subject("role", SINGERS, GUILD), 90, by=ADMIN)
    pools = GuildPools(db=db, clock=clock)
    await pools.give(GUILD, 100, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, USER, 15, TODAY, by=ADMIN)
    ledger = Ledger(db=db, clock=clock)
    await ledger.grant(USER, 7, TODAY, by=ADMIN)

    found = await standing(db)
    assert (found.block, found.rules) == (Block.HERE, rules)
    assert found.own == await ledger.usage(USER, TODAY, 90)
    assert found.shared == await ledger.usage(USER, TODAY, 0, guild_id=GUILD)
    got = await Standings(db=db).minutes(USER, HERE, TODAY, plain=PLAIN)
    assert got.total == 90 + 7 + 15

    outside = await standing(db, None)
    assert (outside.block, outside.rules, outside.shared) == (None, GuildRules(), None)
    assert outside.own == await ledger.usage(USER, TODAY, PLAIN)


async def test_a_block_everywhere_is_the_widest(db: Database, clock: StillClock) -> None:
    servers = GuildStore(db=db, clock=clock)
    await servers.block(USER, GUILD, by=ADMIN)
    await servers.block(USER, None, by=ADMIN)
    assert (await standing(db)).block is Block.EVERYWHERE
    assert (await standing(db, None)).block is Block.EVERYWHERE


async def test_minutes_of_another_period_do_not_count(db: Database, clock: StillClock) -> None:
    await Ledger(db=db, clock=clock).grant(USER, 7, TODAY, by=ADMIN)
    month = period_at(clock.now(), PeriodKind.MONTH)
    got = await Standings(db=db).minutes(USER, HERE, month, plain=PLAIN)
    assert got.total == PLAIN
