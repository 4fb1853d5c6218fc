"""Attempts whose job ended without them: settled, told, and on record as what they may cost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.attempt import Attempt, AttemptState
from bot.domain.errors import Problem, ProviderDown, Reason
from bot.domain.job import Job, JobId, State
from bot.providers.interface import Running
from tests.support.fakes import FakeProvider
from tests.support.harness import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    provider = FakeProvider("vendor", can_cancel=True)
    provider.on_poll = [Running()] * 10_000
    built = await House.build(tmp_path, provider)
    yield built
    await built.close()


async def cancelled_and_killed(house: House, state: AttemptState) -> Attempt:
    """Cancel a job whose attempt is in this state, and die right after the commit."""
    job = await house.split()
    processing = await house.until(job.id, State.PROCESSING)
    await house.services.runner.interrupt(job.id)
    [attempt] = await house.jobs.attempts(job.id)
    if state is AttemptState.DONE:
        await house.jobs.record(attempt.done(house.clock.now(), house.provider.finishes().files))
    elif state is AttemptState.SENDING:
        await house.jobs.record(attempt.ended(house.clock.now(), AttemptState.SENDING))
    stopped = processing.cancelled(house.clock.now(), Problem(Reason.STOPPED_BY_USER))
    await house.jobs.save(stopped, expected=State.PROCESSING)
    return attempt


async def only_attempt(house: House, job_id: JobId) -> Attempt:
    [attempt] = await house.jobs.attempts(job_id)
    return attempt


@pytest.mark.parametrize("state", [AttemptState.ACCEPTED, AttemptState.DONE])
async def test_work_of_a_job_that_was_cancelled_just_before_a_kill_is_called_off(
    house: House, state: AttemptState
) -> None:
    left = await cancelled_and_killed(house, state)
    await house.services.loose_ends.tie_up()
    attempt = await only_attempt(house, left.job_id)
    assert attempt.state is AttemptState.ABANDONED
    assert house.provider.cancelled == [left.ref]


async def test_a_submit_cut_off_of_a_job_that_is_over_may_have_cost(house: House) -> None:
    left = await cancelled_and_killed(house, AttemptState.SENDING)
    await house.services.loose_ends.tie_up()
    attempt = await only_attempt(house, left.job_id)
    assert (attempt.state, attempt.state.may_have_cost) == (AttemptState.UNCERTAIN, True)


async def test_loose_ends_are_tied_up_once(house: House) -> None:
    await cancelled_and_killed(house, AttemptState.ACCEPTED)
    await house.services.loose_ends.tie_up()
    await house.services.loose_ends.tie_up()
    assert len(house.provider.cancelled) == 1


async def test_work_under_way_is_left_alone(house: House) -> None:
    running = await house.until((await house.split()).id, State.PROCESSING)
    await house.services.loose_ends.tie_up()
    assert (await only_attempt(house, running.id)).state is AttemptState.ACCEPTED
    assert house.provider.cancelled == []


async def test_results_that_were_delivered_are_no_loose_end(house: House) -> None:
    house.provider.on_poll = []
    done = await house.until((await house.split()).id)
    assert done.state is State.DELIVERED
    await house.services.loose_ends.tie_up()
    assert (await only_attempt(house, done.id)).state is AttemptState.DONE


async def test_a_provider_that_cannot_be_told_does_not_keep_a_job_from_being_cancelled(
    house: House,
) -> None:
    house.provider.on_cancel = [ProviderDown()]
    job: Job = await house.until((await house.split()).id, State.PROCESSING)
    stopped = await house.services.splits.cancel(job.id, user_id=job.request.user_id)
    attempt = await only_attempt(house, job.id)
    assert stopped.state is State.CANCELLED
    assert attempt.state is AttemptState.ABANDONED


async def test_a_provider_that_breaks_when_it_is_told_keeps_no_other_end_loose(
    house: House,
) -> None:
    first = await cancelled_and_killed(house, AttemptState.ACCEPTED)
    second = await cancelled_and_killed(house, AttemptState.ACCEPTED)
    house.provider.on_cancel = [ZeroDivisionError("a bug")]
    await house.services.loose_ends.tie_up()
    assert (await only_attempt(house, first.job_id)).state is AttemptState.ACCEPTED
    assert (await only_attempt(house, second.job_id)).state is AttemptState.ABANDONED


async def test_a_job_that_is_given_up_leaves_no_work_at_its_provider(house: House) -> None:
    job = await house.until((await house.split()).id, State.PROCESSING)
    await house.services.runner.interrupt(job.id)
    await house.services.steps.give_up(job.id)
    assert (await house.job(job.id)).state is State.FAILED
    assert (await only_attempt(house, job.id)).state is AttemptState.ABANDONED
    assert len(house.provider.cancelled) == 1


async def test_a_job_over_its_deadline_ends_though_its_provider_cannot_be_told(
    house: House,
) -> None:
    house.provider.on_cancel = [ProviderDown()]
    job = await house.until((await house.split()).id, State.PROCESSING)
    house.clock.move(minutes=61)
    failed = await house.until(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.TIMED_OUT
    assert len(house.provider.cancelled) == 1
