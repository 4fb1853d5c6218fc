import pytest

from bot.domain.guilds import Subject
from bot.domain.job import Membership, UserId
from bot.domain.minutes import Terms
from storage.database.protocols import Database
from storage.stores.allowances import Allowances
from tests.support.domain_factories import ADMIN, USER, StillClock

GUILD, ELSEWHERE = 2**61 + 5, 8
SINGER, PATRON, MUTED = 2**61 + 11, 12, 13
PLAIN = 60

HERE = Membership(guild_id=GUILD, role_ids=(GUILD, SINGER, PATRON))
EVERYBODY = Subject("role", GUILD, GUILD)


@pytest.fixture
def allowances(db: Database) -> Allowances:
    return Allowances(db=db, clock=StillClock())


async def allowed(allowances: Allowances, membership: Membership | None, user_id=USER) -> int:
    return (await allowances.terms_of(user_id, membership)).allowance(PLAIN)


def role(role_id: int, guild_id: int = GUILD) -> Subject:
    return Subject("role", role_id, guild_id)


def user(guild_id: int | None = GUILD) -> Subject:
    return Subject("user", USER, guild_id)


async def test_nothing_is_decided_at_first(allowances: Allowances):
    assert await allowances.terms_of(USER, HERE) == Terms()
    assert await allowed(allowances, HERE) == PLAIN


async def test_a_users_allowance_can_be_set_changed_and_taken_away(allowances: Allowances):
    for minutes in (90, 0):
        await allowances.give(user(None), minutes, by=ADMIN)
        assert await allowed(allowances, HERE) == minutes
        assert await allowed(allowances, None) == minutes
    assert await allowed(allowances, HERE, UserId(8)) == PLAIN
    await allowances.give(user(None), None, by=ADMIN)
    assert await allowed(allowances, HERE) == PLAIN


async def test_the_highest_of_the_roles_counts(allowances: Allowances):
    await allowances.give(role(SINGER), 90, by=ADMIN)
    await allowances.give(role(PATRON), 240, by=ADMIN)
    await allowances.give(role(MUTED), 500, by=ADMIN)
    assert await allowed(allowances, HERE) == 240
    only_singer = Membership(guild_id=GUILD, role_ids=(GUILD, SINGER))
    assert await allowed(allowances, only_singer) == 90


async def test_a_role_below_the_plain_allowance_counts_for_those_without_a_higher_one(
    allowances: Allowances,
):
    await allowances.give(EVERYBODY, 10, by=ADMIN)
    assert await allowed(allowances, HERE) == 10
    await allowances.give(role(PATRON), 20, by=ADMIN)
    assert await allowed(allowances, HERE) == 20


async def test_roles_count_in_their_server_only(allowances: Allowances):
    await allowances.give(role(PATRON), 240, by=ADMIN)
    elsewhere = Membership(guild_id=ELSEWHERE, role_ids=(ELSEWHERE, PATRON))
    assert await allowed(allowances, elsewhere) == PLAIN
    assert await allowed(allowances, None) == PLAIN


async def test_a_word_on_the_user_goes_before_their_roles(allowances: Allowances):
    await allowances.give(role(PATRON), 240, by=ADMIN)
    await allowances.give(user(), 30, by=ADMIN)
    assert await allowed(allowances, HERE) == 30


async def test_a_limit_lowers_in_its_server_only(allowances: Allowances):
    await allowances.limit(user(), 15, by=ADMIN)
    assert await allowed(allowances, HERE) == 15
    assert await allowed(allowances, None) == PLAIN
    assert await allowed(allowances, Membership(guild_id=ELSEWHERE)) == PLAIN
    await allowances.limit(user(), None, by=ADMIN)
    assert await allowed(allowances, HERE) == PLAIN


async def test_a_limit_never_raises(allowances: Allowances):
    await allowances.limit(user(), 500, by=ADMIN)
    await allowances.limit(EVERYBODY, 500, by=ADMIN)
    assert await allowed(allowances, HERE) == PLAIN


async def test_the_mildest_of_the_roles_limits_counts_unless_the_user_has_one(
    allowances: Allowances,
):
    await allowances.limit(EVERYBODY, 5, by=ADMIN)
    await allowances.limit(role(SINGER), 20, by=ADMIN)
    assert await allowed(allowances, HERE) == 20
    await allowances.limit(user(), 7, by=ADMIN)
    assert await allowed(allowances, HERE) == 7


async def test_what_the_owner_gives_lifts_the_limit_that_stood_against_it(allowances: Allowances):
    await allowances.limit(user(), 5, by=ADMIN)
    await allowances.limit(role(PATRON), 5, by=ADMIN)
    await allowances.give(user(), 90, by=ADMIN)
    await allowances.give(role(PATRON), 240, by=ADMIN)
    assert await allowances.terms_of(USER, HERE) == Terms(given=90)
