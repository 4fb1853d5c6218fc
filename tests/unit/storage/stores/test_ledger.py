import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.errors import QuotaExceeded, StateMoved
from bot.domain.job import JobId, State, UserId
from bot.domain.minutes import Hold, LedgerEntry, Post, Refund, Void
from bot.domain.periods import Period
from storage.database.opening import Address
from storage.database.protocols import ConstraintViolated, Database
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from storage.stores.ledger_entries import Accounts, apply
from storage.stores.pseudonyms import Pseudonyms
from tests.support.both_databases import fresh, reopen
from tests.support.domain_factories import (
    ADMIN,
    NOW,
    TODAY,
    TOMORROW,
    USER,
    StillClock,
    a_hold,
    a_job,
)

OTHER = UserId(8)


async def enter(db: Database, entry: LedgerEntry) -> None:
    await db.write(lambda conn: apply(conn, entry, at=int(NOW.timestamp())))


def hold(number: int, minutes: int, *, allowance: int = 60, period: Period = TODAY) -> Hold:
    return a_hold(a_job(job_id=f"job{number}"), minutes, allowance=allowance, period=period)


async def account(ledger: Ledger, period: Period = TODAY) -> tuple[int, int, int]:
    usage = await ledger.usage(USER, period, 60)
    return usage.used, usage.held, usage.left


async def test_a_hold_reserves_a_post_takes_a_void_gives_back(db: Database, ledger: Ledger):
    assert await account(ledger) == (0, 0, 60)
    await enter(db, hold(1, 4))
    await enter(db, hold(2, 7))
    assert await account(ledger) == (0, 11, 49)
    await enter(db, Post(JobId("job1")))
    assert await account(ledger) == (4, 7, 49)
    await enter(db, Void(JobId("job2")))
    assert await account(ledger) == (4, 0, 56)


async def test_of_fifty_concurrent_holds_with_room_for_ten_ten_are_admitted(
    jobs: JobStore, ledger: Ledger
):
    waiting = [await jobs.add(a_job(), max_active=50) for _ in range(50)]

    async def take(job) -> bool:
        held = job.held(NOW, frames=1, minutes=6, title="")
        try:
            await jobs.save(held, expected=State.RECEIVED, ledger=a_hold(job, 6))
        except QuotaExceeded:
            return False
        return True

    assert sum(await asyncio.gather(*map(take, waiting))) == 10
    assert await account(ledger) == (0, 60, 0)


async def test_posting_or_voiding_again_does_nothing(db: Database, ledger: Ledger):
    await enter(db, hold(1, 4))
    await enter(db, hold(2, 7))
    for _ in range(3):
        await enter(db, Post(JobId("job1")))
        await enter(db, Void(JobId("job2")))
    assert await account(ledger) == (4, 0, 56)


async def test_a_refund_gives_back_once_what_was_posted(db: Database, ledger: Ledger):
    await enter(db, hold(1, 4))
    await enter(db, hold(2, 7))
    await enter(db, Post(JobId("job1")))
    for _ in range(2):
        await enter(db, Refund(JobId("job1")))
        await enter(db, Refund(JobId("job2")))  # nothing has been used for it yet
        await enter(db, Refund(JobId("job3")))
        assert await account(ledger) == (0, 7, 53)


async def test_what_a_reset_gave_back_is_not_refunded_as_well(db: Database, ledger: Ledger):
    for number in (1, 2):
        await enter(db, hold(number, 4))
        await enter(db, Post(JobId(f"job{number}")))
        if number == 1:
            await ledger.reset(USER, TODAY, by=ADMIN)
    await enter(db, Refund(JobId("job1")))
    assert await account(ledger) == (4, 0, 56)


async def test_a_hold_is_refunded_once_whatever_the_code_does(db: Database):
    await enter(db, hold(1, 4))
    await enter(db, Post(JobId("job1")))
    again = """
        INSERT INTO ledger (at, period, kind, debit, credit, minutes, job_id, hold_id)
        SELECT at, period, 'refund', credit, debit, minutes, job_id, hold_id
        FROM ledger WHERE kind = 'post'
    """
    await db.write(lambda conn: conn.execute(again))
    with pytest.raises(ConstraintViolated):
        await db.write(lambda conn: conn.execute(again))


async def test_a_void_after_a_post_is_refused(db: Database, ledger: Ledger):
    await enter(db, hold(1, 4))
    await enter(db, Post(JobId("job1")))
    with pytest.raises(StateMoved):
        await enter(db, Void(JobId("job1")))
    assert await account(ledger) == (4, 0, 56)


async def test_a_post_after_a_void_is_refused(db: Database, ledger: Ledger):
    await enter(db, hold(1, 4))
    await enter(db, Void(JobId("job1")))
    with pytest.raises(StateMoved):
        await enter(db, Post(JobId("job1")))
    assert await account(ledger) == (0, 0, 60)


async def test_voiding_a_job_that_holds_nothing_does_nothing(db: Database, ledger: Ledger):
    await enter(db, Void(JobId("job1")))
    assert await account(ledger) == (0, 0, 60)


async def test_posting_a_job_that_holds_nothing_is_refused(db: Database):
    with pytest.raises(StateMoved):
        await enter(db, Post(JobId("job1")))


async def test_a_job_holds_once(db: Database, ledger: Ledger):
    await enter(db, hold(1, 4))
    with pytest.raises(ConstraintViolated):
        await enter(db, hold(1, 4))
    assert await account(ledger) == (0, 4, 56)


async def test_a_hold_ends_once_whatever_the_code_does(db: Database):
    await enter(db, hold(1, 4))
    ending = """
        INSERT INTO ledger (at, period, kind, debit, credit, minutes, job_id, hold_id)
        VALUES (0, '2026-11-20', ?, 'a', 'b', 4, 'job1', 1)
    """
    await db.write(lambda conn: conn.execute(ending, ("void",)))
    with pytest.raises(ConstraintViolated, match=r"hold_id|one_end_of_a_hold"):
        await db.write(lambda conn: conn.execute(ending, ("post",)))


@pytest.mark.parametrize("statement", ["UPDATE ledger SET minutes = 1", "DELETE FROM ledger"])
async def test_the_ledger_is_only_appended_to(db: Database, ledger: Ledger, statement: str):
    await enter(db, hold(1, 4))
    with pytest.raises(ConstraintViolated, match="only appended to"):
        await db.write(lambda conn: conn.execute(statement))
    assert await account(ledger) == (0, 4, 56)


@pytest.mark.parametrize("ending", [Post, Void])
async def test_what_becomes_of_a_hold_lands_in_its_own_period(
    db: Database, jobs: JobStore, ledger: Ledger, ending: type[Post | Void]
):
    await enter(db, hold(1, 4, period=TODAY))
    tomorrow = int(TOMORROW.starts_at.timestamp()) + 60
    await db.write(lambda conn: apply(conn, ending(JobId("job1")), at=tomorrow))
    used = 4 if ending is Post else 0
    assert await account(ledger, TODAY) == (used, 0, 60 - used)
    assert await account(ledger, TOMORROW) == (0, 0, 60)


async def test_a_grant_adds_to_its_period_only(db: Database, ledger: Ledger):
    await ledger.grant(USER, 30, TODAY, by=ADMIN)
    usage = await ledger.usage(USER, TODAY, 60)
    assert (usage.granted, usage.left) == (30, 90)
    assert (await ledger.usage(USER, TOMORROW, 60)).left == 60
    assert (await ledger.usage(OTHER, TODAY, 60)).left == 60


async def test_a_hold_records_what_it_was_admitted_under(db: Database, ledger: Ledger):
    await ledger.grant(USER, 30, TODAY, by=ADMIN)
    await enter(db, hold(1, 85))
    [row] = await db.read("SELECT allowance FROM ledger WHERE kind = 'hold'")
    assert row["allowance"] == 90
    with pytest.raises(QuotaExceeded) as refusal:
        await enter(db, hold(2, 6))
    assert refusal.value.problem.facts["left"] == 5
    assert refusal.value.problem.facts["allowance"] == 90


async def test_a_reset_gives_back_what_is_used_and_leaves_holds_alone(db: Database, ledger: Ledger):
    await enter(db, hold(1, 4))
    await enter(db, hold(2, 7))
    await enter(db, Post(JobId("job1")))
    assert await ledger.reset(USER, TODAY, by=ADMIN) == 4
    assert await account(ledger) == (0, 7, 53)
    assert await ledger.reset(USER, TODAY, by=ADMIN) == 0
    await enter(db, Post(JobId("job2")))
    assert await account(ledger) == (7, 0, 53)


async def test_a_lowered_allowance_leaves_nothing_rather_than_less(db: Database, ledger: Ledger):
    await enter(db, hold(1, 40))
    assert (await ledger.usage(USER, TODAY, 30)).left == 0
    with pytest.raises(QuotaExceeded):
        await enter(db, hold(2, 1, allowance=30))


ACTIONS = st.one_of(
    st.tuples(st.just("hold"), st.integers(0, 7), st.integers(1, 25)),
    st.tuples(st.just("post"), st.integers(0, 7), st.just(0)),
    st.tuples(st.just("void"), st.integers(0, 7), st.just(0)),
    st.tuples(st.just("refund"), st.integers(0, 7), st.just(0)),
    st.tuples(st.just("grant"), st.just(0), st.integers(1, 10)),
    st.tuples(st.just("reset"), st.just(0), st.just(0)),
)


class PlainAccount:
    """The expected state of the ledger, kept in two dictionaries."""

    def __init__(self) -> None:
        self.granted = 0
        self.holds: dict[int, int] = {}
        self.ended: dict[int, str] = {}
        self.taken: dict[int, int] = {}

    @property
    def used(self) -> int:
        return sum(self.taken.values())

    @property
    def held(self) -> int:
        return sum(minutes for job, minutes in self.holds.items() if job not in self.ended)

    def admits(self, action: str, job: int, minutes: int) -> bool:
        match action:
            case "hold":
                fits = self.used + self.held + minutes <= 60 + self.granted
                if job in self.holds or not fits:
                    return False
                self.holds[job] = minutes
            case "post" | "void":
                if job not in self.holds:
                    return action == "void"
                if self.ended.setdefault(job, action) != action:
                    return False
                if action == "post" and self.holds[job]:
                    self.taken[job] = self.holds[job]
                self.holds[job] = 0
            case "refund":
                self.taken.pop(job, None)
            case "grant":
                self.granted += minutes
            case _:
                self.taken.clear()
        return True


async def act(db: Database, ledger: Ledger, action: str, job: int, minutes: int) -> bool:
    try:
        match action:
            case "hold":
                await enter(db, hold(job, minutes))
            case "post":
                await enter(db, Post(JobId(f"job{job}")))
            case "void":
                await enter(db, Void(JobId(f"job{job}")))
            case "refund":
                await enter(db, Refund(JobId(f"job{job}")))
            case "grant":
                await ledger.grant(USER, minutes, TODAY, by=ADMIN)
            case _:
                await ledger.reset(USER, TODAY, by=ADMIN)
    except (QuotaExceeded, StateMoved, ConstraintViolated):
        return False
    return True


BALANCES = """
SELECT account, sum(minutes) AS balance FROM (
    SELECT credit AS account, minutes FROM ledger
    UNION ALL
    SELECT debit AS account, -minutes FROM ledger
) AS moves GROUP BY account
"""


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTIONS, max_size=25))
def test_any_history_agrees_with_a_plain_account_and_sums_to_zero(server, history):
    async def live(address: Address) -> None:
        db = await reopen(address)
        ledger, plain = Ledger(db=db, clock=StillClock()), PlainAccount()
        try:
            for action, job, minutes in history:
                admitted = await act(db, ledger, action, job, minutes)
                assert admitted == plain.admits(action, job, minutes)
                usage = await ledger.usage(USER, TODAY, 60)
                assert (usage.used, usage.held) == (plain.used, plain.held)
                assert usage.used + usage.held <= 60 + usage.granted
            balances = {row["account"]: row["balance"] for row in await db.read(BALANCES)}
            own = Accounts.of_user(await Pseudonyms(db=db).of(USER, TODAY.key))
        finally:
            await db.close()
        assert sum(balances.values()) == 0
        assert balances.get(own.held, 0) == plain.held
        assert balances.get(own.used, 0) == plain.used
        assert -balances.get("house", 0) == plain.granted

    with fresh(server) as address:
        asyncio.run(live(address))
