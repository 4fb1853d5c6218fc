import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.errors import QuotaExceeded, Rejected, StateMoved
from bot.domain.job import JobId, UserId
from bot.domain.minutes import Hold, Post, Usage, Void
from bot.domain.periods import Period
from storage.database.opening import Address
from storage.database.protocols import ConstraintViolated, Database
from storage.stores.guild_pools import GuildPools
from storage.stores.ledger import Ledger, PaidFrom
from storage.stores.ledger_entries import apply
from storage.stores.standing import Standings
from tests.support.both_databases import fresh, reopen
from tests.support.domain_factories import ADMIN, NOW, TODAY, TOMORROW, USER, StillClock

GUILD, ELSEWHERE = 2**61 + 5, 8
OTHER = UserId(9)


@pytest.fixture
def pools(db: Database) -> GuildPools:
    return GuildPools(db=db, clock=StillClock())


def hold(
    number: int,
    minutes: int,
    *,
    user_id: UserId = USER,
    guild_id: int | None = GUILD,
    period: Period = TODAY,
    allowance: int = 60,
) -> Hold:
    return Hold(
        job_id=JobId(f"job{number}"),
        user_id=user_id,
        minutes=minutes,
        period=period,
        allowance=allowance,
        guild_id=guild_id,
    )


async def enter(db: Database, entry: Hold | Post | Void) -> None:
    await db.write(lambda conn: apply(conn, entry, at=int(NOW.timestamp())))


async def share(ledger: Ledger, guild_id: int = GUILD, period: Period = TODAY) -> Usage:
    return await ledger.usage(USER, period, 0, guild_id=guild_id)


async def own(ledger: Ledger, period: Period = TODAY) -> Usage:
    return await ledger.usage(USER, period, 60)


async def test_a_pool_is_filled_and_handed_out(pools: GuildPools, ledger: Ledger):
    assert await pools.left(GUILD) == 0
    assert await pools.give(GUILD, 100, TODAY, by=ADMIN) == 100
    assert await pools.hand_out(GUILD, USER, 30, TODAY, by=ADMIN) == 70
    assert await pools.left(GUILD) == 70
    assert await pools.left(ELSEWHERE) == 0
    usage = await share(ledger)
    assert (usage.total, usage.left, usage.guild_id) == (30, 30, GUILD)
    assert (await own(ledger)).total == 60


async def test_a_pool_gives_no_more_than_it_has(pools: GuildPools, ledger: Ledger):
    await pools.give(GUILD, 20, TODAY, by=ADMIN)
    with pytest.raises(Rejected) as refusal:
        await pools.hand_out(GUILD, USER, 21, TODAY, by=ADMIN)
    assert refusal.value.problem.facts == {"left": 20}
    assert (await share(ledger)).total == 0
    assert await pools.left(GUILD) == 20


async def test_of_twenty_managers_at_once_only_as_many_succeed_as_there_are_minutes(
    pools: GuildPools,
):
    await pools.give(GUILD, 50, TODAY, by=ADMIN)

    async def try_it(number: int) -> bool:
        try:
            await pools.hand_out(GUILD, UserId(number), 10, TODAY, by=ADMIN)
        except Rejected:
            return False
        return True

    assert sum(await asyncio.gather(*map(try_it, range(1, 21)))) == 5
    assert await pools.left(GUILD) == 0


async def test_a_pool_outlasts_a_period_but_what_a_user_got_of_it_does_not(
    pools: GuildPools, ledger: Ledger
):
    await pools.give(GUILD, 100, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, USER, 30, TODAY, by=ADMIN)
    assert (await share(ledger, period=TOMORROW)).total == 0
    assert await pools.hand_out(GUILD, USER, 70, TOMORROW, by=ADMIN) == 0
    assert (await share(ledger, period=TOMORROW)).total == 70


async def test_taking_a_pool_back_leaves_users_what_they_got(pools: GuildPools, ledger: Ledger):
    await pools.give(GUILD, 100, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, USER, 30, TODAY, by=ADMIN)
    assert await pools.take_back(GUILD, TOMORROW, by=ADMIN) == 70
    assert await pools.take_back(GUILD, TOMORROW, by=ADMIN) == 0
    assert await pools.left(GUILD) == 0
    assert (await share(ledger)).left == 30


async def test_a_song_in_the_server_is_paid_from_its_minutes_first(
    db: Database, pools: GuildPools, ledger: Ledger
):
    await pools.give(GUILD, 100, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, USER, 10, TODAY, by=ADMIN)
    await enter(db, hold(1, 4))
    assert (await share(ledger)).held == 4
    assert (await own(ledger)).held == 0
    await enter(db, Post(JobId("job1")))
    assert (await share(ledger)).used == 4
    assert await ledger.paid_from(JobId("job1")) == PaidFrom(guild_id=GUILD, period_key=TODAY.key)


async def test_a_song_that_does_not_fit_there_is_paid_by_the_user_whole(
    db: Database, pools: GuildPools, ledger: Ledger
):
    await pools.give(GUILD, 100, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, USER, 10, TODAY, by=ADMIN)
    await enter(db, hold(1, 11))
    assert (await share(ledger)).left == 10
    assert (await own(ledger)).held == 11
    assert await ledger.paid_from(JobId("job1")) == PaidFrom(guild_id=None, period_key=TODAY.key)


async def test_a_servers_minutes_are_spent_there_only(
    db: Database, pools: GuildPools, ledger: Ledger
):
    await pools.give(GUILD, 100, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, USER, 90, TODAY, by=ADMIN)
    for number, guild_id in enumerate((None, ELSEWHERE)):
        with pytest.raises(QuotaExceeded):
            await enter(db, hold(number, 61, guild_id=guild_id))
    await enter(db, hold(2, 61))
    with pytest.raises(QuotaExceeded):
        await enter(db, hold(3, 40, user_id=OTHER, allowance=30))
    assert (await share(ledger)).held == 61


async def test_a_voided_song_gives_a_servers_minutes_back_to_where_they_were(
    db: Database, pools: GuildPools, ledger: Ledger
):
    await pools.give(GUILD, 100, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, USER, 10, TODAY, by=ADMIN)
    await enter(db, hold(1, 10))
    await enter(db, Void(JobId("job1")))
    assert (await share(ledger)).left == 10
    assert (await own(ledger)).left == 60
    assert await pools.left(GUILD) == 90


async def test_a_refusal_tells_what_is_left_of_both(db: Database, pools: GuildPools):
    await pools.give(GUILD, 100, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, USER, 10, TODAY, by=ADMIN)
    with pytest.raises(QuotaExceeded) as refusal:
        await enter(db, hold(1, 61))
    facts = refusal.value.problem.facts
    assert (facts["left"], facts["shared"], facts["allowance"]) == (60, 10, 60)


async def total(db: Database, user_id: UserId, period: Period) -> int:
    return (await Standings(db=db).minutes(user_id, None, period, plain=0)).total


async def test_what_servers_gave_is_summed_over_all_of_them(db: Database, pools: GuildPools):
    for guild_id in (GUILD, ELSEWHERE):
        await pools.give(guild_id, 100, TODAY, by=ADMIN)
        await pools.hand_out(guild_id, USER, 15, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, OTHER, 40, TODAY, by=ADMIN)
    await pools.hand_out(GUILD, USER, 5, TOMORROW, by=ADMIN)
    assert await total(db, USER, TODAY) == 30
    assert await total(db, USER, TOMORROW) == 5
    assert await total(db, UserId(int(str(USER)[1:])), TODAY) == 0, "a longer id is another's"


USERS = (USER, OTHER)
PLACES = (None, GUILD, ELSEWHERE)
PERIODS = (TODAY, TOMORROW)
ALLOWANCE = 30

STEPS = st.tuples(
    st.sampled_from(
        ("hold", "hold", "hold", "post", "void", "fill", "hand", "back", "grant", "reset")
    ),
    st.integers(0, 9),
    st.sampled_from(USERS),
    st.sampled_from(PLACES),
    st.sampled_from(PERIODS),
    st.integers(1, 25),
)

Purse = tuple[UserId, int | None, str]


@dataclass
class PlainBooks:
    """The expected state of the ledger, kept in dictionaries."""

    pools: dict[int, int] = field(default_factory=dict)
    given: dict[Purse, int] = field(default_factory=dict)
    taken: dict[Purse, int] = field(default_factory=dict)
    reset: dict[Purse, int] = field(default_factory=dict)
    holds: dict[int, tuple[Purse, int]] = field(default_factory=dict)
    ended: dict[int, str] = field(default_factory=dict)

    def left(self, purse: Purse) -> int:
        allowance = ALLOWANCE if purse[1] is None else 0
        return allowance + self.given.get(purse, 0) - self.used(purse) - self.held(purse)

    def held(self, purse: Purse) -> int:
        open_ones = (each for job, each in self.holds.items() if job not in self.ended)
        return sum(minutes for owner, minutes in open_ones if owner == purse)

    def used(self, purse: Purse) -> int:
        return self.taken.get(purse, 0)

    def step(self, what, job, user_id, place, period, minutes) -> bool:
        purse = (user_id, place, period.key)
        match what:
            case "hold":
                return self._hold(job, user_id, place, period, minutes)
            case "post" | "void":
                return self._end(job, what)
            case "fill":
                self.pools[place] = self.pools.get(place, 0) + minutes
            case "hand":
                if minutes > self.pools.get(place, 0):
                    return False
                self.pools[place] -= minutes
                self.given[purse] = self.given.get(purse, 0) + minutes
            case "back":
                self.pools[place] = 0
            case "grant":
                purse = (user_id, None, period.key)
                self.given[purse] = self.given.get(purse, 0) + minutes
            case _:
                self.taken[(user_id, None, period.key)] = 0
        return True

    def _hold(self, job, user_id, place, period, minutes) -> bool:
        if job in self.holds:
            return False
        for guild_id in dict.fromkeys((place, None)):
            purse = (user_id, guild_id, period.key)
            if minutes <= self.left(purse):
                self.holds[job] = (purse, minutes)
                return True
        return False

    def _end(self, job: int, how: str) -> bool:
        if job not in self.holds:
            return how == "void"
        is_first = job not in self.ended
        if self.ended.setdefault(job, how) != how:
            return False
        purse, minutes = self.holds[job]
        if is_first and how == "post":
            self.taken[purse] = self.used(purse) + minutes
        return True


class Books:
    """Runs the same steps on the real ledger."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.ledger = Ledger(db=db, clock=StillClock())
        self.pools = GuildPools(db=db, clock=StillClock())

    async def step(self, what, job, user_id, place, period, minutes) -> bool:
        try:
            await self._step(what, job, user_id, place, period, minutes)
        except (Rejected, StateMoved, ConstraintViolated):
            return False
        return True

    async def _step(self, what, job, user_id, place, period, minutes) -> None:
        match what:
            case "hold":
                entry = hold(
                    job,
                    minutes,
                    user_id=user_id,
                    guild_id=place,
                    period=period,
                    allowance=ALLOWANCE,
                )
                await enter(self.db, entry)
            case "post":
                await enter(self.db, Post(JobId(f"job{job}")))
            case "void":
                await enter(self.db, Void(JobId(f"job{job}")))
            case "fill":
                await self.pools.give(place, minutes, period, by=ADMIN)
            case "hand":
                await self.pools.hand_out(place, user_id, minutes, period, by=ADMIN)
            case "back":
                await self.pools.take_back(place, period, by=ADMIN)
            case "grant":
                await self.ledger.grant(user_id, minutes, period, by=ADMIN)
            case _:
                await self.ledger.reset(user_id, period, by=ADMIN)


BALANCES = """
SELECT account, sum(minutes) AS balance FROM (
    SELECT credit AS account, minutes FROM ledger
    UNION ALL
    SELECT debit AS account, -minutes FROM ledger
) AS moves GROUP BY account
"""
ABOVE = """
SELECT count(*) AS holds FROM ledger AS hold
WHERE kind = 'hold' AND allowance < (
    SELECT coalesce(sum(CASE WHEN debit = hold.debit THEN minutes ELSE -minutes END), 0)
    FROM ledger AS earlier
    WHERE earlier.id <= hold.id AND earlier.period = hold.period
      AND earlier.kind IN ('hold', 'void', 'reset')
      AND (earlier.debit = hold.debit OR earlier.credit = hold.debit)
)
"""


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_any_history_of_pools_agrees_with_plain_books_and_sums_to_zero(server, history):
    async def live(address: Address) -> None:
        db = await reopen(address)
        books, plain = Books(db), PlainBooks()
        try:
            for step in history:
                what, _, _, place, *_ = step
                if what in ("fill", "hand", "back") and place is None:
                    continue
                assert await books.step(*step) == plain.step(*step), step
            await _compare(books, plain)
        finally:
            await db.close()

    with fresh(server) as address:
        asyncio.run(live(address))


async def _compare(books: Books, plain: PlainBooks) -> None:
    for server in (GUILD, ELSEWHERE):
        left = await books.pools.left(server)
        assert left == plain.pools.get(server, 0)
        assert left >= 0
    for user_id in USERS:
        for guild_id in PLACES:
            for period in PERIODS:
                purse = (user_id, guild_id, period.key)
                allowance = ALLOWANCE if guild_id is None else 0
                usage = await books.ledger.usage(user_id, period, allowance, guild_id)
                assert usage.used == plain.used(purse)
                assert usage.held == plain.held(purse)
                assert usage.left == plain.left(purse)
                assert usage.used + usage.held <= usage.total
    balances = {row["account"]: row["balance"] for row in await books.db.read(BALANCES)}
    assert sum(balances.values()) == 0
    assert (await books.db.read(ABOVE))[0]["holds"] == 0
