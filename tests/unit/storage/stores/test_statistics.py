from datetime import timedelta

import pytest

from bot.domain.attempt import AttemptError, AttemptState
from bot.domain.errors import Problem, Reason
from bot.domain.job import State
from bot.domain.minutes import Refund
from storage.database.protocols import Database
from storage.stores.job_store import JobStore
from storage.stores.statistics import Statistics, Turnover
from tests.support.domain_factories import NOW, PROBLEM, TODAY, TOMORROW, a_job, an_attempt, lead

YESTERDAY = NOW - timedelta(days=1)


@pytest.fixture
def statistics(db: Database) -> Statistics:
    return Statistics(db=db)


async def test_nothing_happened_yet(statistics: Statistics):
    assert await statistics.jobs(NOW) == {}
    assert await statistics.turnover(TODAY) == Turnover(held=0, used=0, given_back=0)
    assert await statistics.reasons(NOW, 5) == []
    assert await statistics.errors(NOW, 5) == []


async def test_jobs_are_counted_by_state_from_a_time_on(jobs: JobStore, statistics: Statistics):
    for state in (State.HELD, State.HELD, State.DELIVERED):
        await lead(jobs, state)
    await lead(jobs, State.FAILED, job=a_job(created_at=YESTERDAY))
    assert await statistics.jobs(NOW) == {State.HELD: 2, State.DELIVERED: 1}
    assert (await statistics.jobs(YESTERDAY))[State.FAILED] == 1


async def test_minutes_are_counted_by_what_became_of_them(jobs: JobStore, statistics: Statistics):
    await lead(jobs, State.HELD, minutes=3)
    await lead(jobs, State.DELIVERED, minutes=5)
    await lead(jobs, State.FAILED, minutes=7)
    lost = await lead(jobs, State.READY, minutes=11)
    failed = lost.failed(NOW, PROBLEM)
    await jobs.save(failed, expected=State.READY, ledger=Refund(lost.id))
    assert await statistics.turnover(TODAY) == Turnover(held=3, used=5, given_back=7 + 11)
    assert await statistics.turnover(TOMORROW) == Turnover(held=0, used=0, given_back=0)


async def test_the_most_frequent_reasons_and_errors_come_first(
    jobs: JobStore, statistics: Statistics
):
    for reason in (Reason.TOO_LONG, Reason.TIMED_OUT, Reason.TIMED_OUT):
        job = (await jobs.add(a_job(), max_active=9)).acknowledged(NOW, message_id=1)
        failed = job.failed(NOW, Problem(reason))
        await jobs.save(failed, expected=State.RECEIVED)
    job = await lead(jobs, State.SUBMITTING)
    for number, error in enumerate(
        (AttemptError.BUSY, AttemptError.DOWN, AttemptError.DOWN), start=1
    ):
        state = AttemptState.NOT_SENT
        await jobs.record(an_attempt(job, number=number, state=state, error=error))
    assert PROBLEM.reason is Reason.TIMED_OUT
    assert await statistics.reasons(NOW, 5) == [(Reason.TIMED_OUT, 2), (Reason.TOO_LONG, 1)]
    assert await statistics.reasons(NOW, 1) == [(Reason.TIMED_OUT, 2)]
    assert await statistics.errors(NOW, 1) == [("finevoice", AttemptError.DOWN, 2)]
