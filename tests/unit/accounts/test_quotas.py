"""Users' minutes across changes of the quota period and replacements of the bot."""

from dataclasses import replace
from datetime import timedelta

from bot.accounts.quotas import Quotas
from bot.domain.job import State
from bot.domain.periods import PeriodKind
from storage.database.connection import Database
from storage.stores.allowances import Allowances
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from storage.stores.pseudonyms import Pseudonyms
from storage.stores.standing import Standings
from tests.support.databases import open_database
from tests.support.domain_factories import ADMIN, NOW, TODAY, USER, StillClock, a_hold, a_job


class ClockAt(StillClock):
    def __init__(self, at=NOW) -> None:
        self.at = at

    def now(self):
        return self.at


async def quotas_of(db: Database, kind: PeriodKind, clock: StillClock) -> Quotas:
    return Quotas(
        ledger=Ledger(db=db, clock=clock),
        allowances=Allowances(db=db, clock=clock),
        standings=Standings(db=db),
        clock=clock,
        allowance=60,
        kind=kind,
        running=await Pseudonyms(db=db).periods_without_kind(),
    )


async def use(db: Database, minutes: int, period) -> None:
    store = JobStore(db=db)
    job = (await store.add(a_job(), max_active=9)).acknowledged(NOW, message_id=1)
    await store.save(job, expected=State.RECEIVED)
    held = job.held(NOW, frames=1, minutes=minutes, title="Neon Rain")
    await store.save(held, expected=State.RECEIVED, ledger=a_hold(held, minutes, period=period))


async def test_minutes_of_a_running_period_are_counted_on_by_a_newer_bot(tmp_path) -> None:
    db = await open_database(tmp_path / "stemcord.db", Database)
    await use(db, 7, replace(TODAY, key="2026-11-20"))

    quotas = await quotas_of(db, PeriodKind.DAY, StillClock())

    assert (await quotas.usage(USER)).held == 7
    await db.close()


async def test_kinds_that_begin_on_one_day_share_neither_minutes_nor_end(tmp_path) -> None:
    clock = ClockAt(NOW.replace(month=2, day=1, year=2027))  # a Monday
    db = await open_database(tmp_path / "stemcord.db", Database)
    day, month = [await quotas_of(db, kind, clock) for kind in (PeriodKind.DAY, PeriodKind.MONTH)]
    await use(db, 7, day.period)
    await Ledger(db=db, clock=clock).grant(USER, 10, month.period, by=ADMIN)

    assert (await day.usage(USER)).held == 7
    assert (await month.usage(USER)).held == 0

    await Pseudonyms(db=db).drop_keys(clock.at.replace(day=20))
    clock.at = clock.at.replace(day=20)

    assert (await month.usage(USER)).granted == 10, "the month is not over with its first day"
    await db.close()


async def test_a_song_that_was_paid_in_a_period_that_is_over_says_nothing_of_the_new_one(
    tmp_path,
) -> None:
    db = await open_database(tmp_path / "stemcord.db", Database)
    clock = ClockAt()
    quotas = await quotas_of(db, PeriodKind.DAY, clock)
    await use(db, 7, quotas.period)
    [job] = await JobStore(db=db).of_user(USER, 1)
    paying = await quotas.paying_for(job)
    assert paying is not None
    assert paying.held == 7
    clock.at += timedelta(days=1)
    assert await quotas.paying_for(job) is None
    await db.close()
