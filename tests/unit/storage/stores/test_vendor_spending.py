"""The minutes that hosted providers may bill, and spend caps that cannot be bypassed."""

import asyncio
from datetime import timedelta

import pytest

from bot.domain.attempt import AttemptState
from bot.domain.errors import SpendCapReached
from bot.domain.job import JobId, State, UserId
from bot.domain.minutes import SpendCap
from storage.database.protocols import Database
from storage.stores.job_store import JobStore
from storage.stores.vendor_spending import Spending
from tests.support.domain_factories import NOW, USER, a_job, an_attempt, lead

OTHER = UserId(8)


@pytest.fixture
def spending(db: Database) -> Spending:
    return Spending(db=db)


def cap(minutes: int = 20, *, days_ago: int = 0, user_id: UserId | None = None) -> SpendCap:
    return SpendCap(minutes=minutes, since=NOW - timedelta(days=days_ago), user_id=user_id)


async def held(jobs: JobStore, *, user_id: UserId = USER):
    return await lead(jobs, State.HELD, job=a_job(user_id=user_id))


async def send(jobs: JobStore, job, *caps: SpendCap, **attempt) -> bool:
    submitting = job.submitting(NOW, provider="finevoice")
    try:
        await jobs.save(
            submitting, expected=job.state, attempt=an_attempt(job, **attempt), caps=caps
        )
    except SpendCapReached:
        return False
    return True


async def test_submitted_minutes_count_all_that_may_be_billed(jobs: JobStore, spending: Spending):
    mine, theirs = await held(jobs), await held(jobs, user_id=OTHER)
    for number, state in enumerate(AttemptState, start=1):
        await jobs.record(an_attempt(mine, number=number, state=state, cost_minutes=10**number))
    await jobs.record(an_attempt(mine, "local", cost_minutes=0))
    await jobs.record(an_attempt(theirs, cost_minutes=5))
    yesterday = NOW - timedelta(days=1)
    await jobs.record(an_attempt(theirs, "soundverse", submitted_at=yesterday, cost_minutes=3))

    billed = sum(
        10**number for number, state in enumerate(AttemptState, start=1) if state.may_have_cost
    )
    caps = [cap(user_id=USER), cap(user_id=OTHER), cap(), cap(days_ago=1)]
    assert await spending.submitted(caps) == [billed, 5, billed + 5, billed + 8]


async def test_of_fifty_sent_at_once_under_a_cap_for_five_five_are_sent(
    jobs: JobStore, spending: Spending
):
    waiting = [await held(jobs, user_id=UserId(number)) for number in range(50)]
    sent = await asyncio.gather(*(send(jobs, job, cap(20)) for job in waiting))
    assert sum(sent) == 5
    assert await spending.submitted([cap()]) == [20]


async def test_a_users_cap_is_not_filled_by_others(jobs: JobStore):
    mine = [await held(jobs) for _ in range(4)]
    theirs = [await held(jobs, user_id=OTHER) for _ in range(4)]
    caps = {user_id: cap(8, user_id=user_id) for user_id in (USER, OTHER)}
    sent = await asyncio.gather(
        *(send(jobs, job, caps[job.request.user_id]) for job in [*mine, *theirs])
    )
    assert (sum(sent[:4]), sum(sent[4:])) == (2, 2)  # PostgreSQL decides the order


async def test_what_passes_a_cap_leaves_no_trace(jobs: JobStore):
    job = await held(jobs)
    assert not await send(jobs, job, cap(100), cap(3))
    kept = await jobs.get(JobId(job.id))
    assert kept is not None
    assert kept.state is State.HELD
    assert await jobs.attempts(job.id) == []


async def test_a_refused_attempt_makes_room_again(jobs: JobStore):
    first, second = await held(jobs), await held(jobs)
    assert await send(jobs, first, cap(4))
    assert not await send(jobs, second, cap(4))
    await jobs.record(an_attempt(first, state=AttemptState.REFUSED))
    assert await send(jobs, second, cap(4))
