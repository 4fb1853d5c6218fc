"""Open attempts of ended jobs, which are settled with the provider and recorded."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.attempt import Attempt, AttemptState
from bot.domain.errors import Problem, ProviderDown, Reason
from bot.domain.job import Job, JobId, State
from bot.providers.interface import Running
from tests.support.fakes import FakeProvider
from tests.support.harness import Harness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    provider = FakeProvider("vendor", can_cancel=True)
    provider.on_poll = [Running()] * 10_000
    built = await Harness.build(tmp_path, provider)
    yield built
    await built.close()


async def cancelled_and_killed(harness: Harness, state: AttemptState) -> Attempt:
    """Cancel a job whose attempt is in this state, and crash right after the commit."""
    job = await harness.split()
    processing = await harness.until(job.id, State.PROCESSING)
    await harness.runtimes.interrupt(job.id)
    [attempt] = await harness.jobs.attempts(job.id)
    if state is AttemptState.DONE:
        await harness.jobs.record(
            attempt.done(harness.clock.now(), harness.provider.finishes().files)
        )
    elif state is AttemptState.SENDING:
        await harness.jobs.record(attempt.ended(harness.clock.now(), AttemptState.SENDING))
    stopped = processing.cancelled(harness.clock.now(), Problem(Reason.STOPPED_BY_USER))
    await harness.jobs.save(stopped, expected=State.PROCESSING)
    return attempt


async def only_attempt(harness: Harness, job_id: JobId) -> Attempt:
    [attempt] = await harness.jobs.attempts(job_id)
    return attempt


@pytest.mark.parametrize("state", [AttemptState.ACCEPTED, AttemptState.DONE])
async def test_work_of_a_job_that_was_cancelled_just_before_a_kill_is_called_off(
    harness: Harness, state: AttemptState
) -> None:
    left = await cancelled_and_killed(harness, state)
    await harness.services.reconciler.reconcile()
    attempt = await only_attempt(harness, left.job_id)
    assert attempt.state is AttemptState.ABANDONED
    assert harness.provider.cancelled == [left.ref]


async def test_a_submit_cut_off_of_a_job_that_is_over_may_have_cost(harness: Harness) -> None:
    left = await cancelled_and_killed(harness, AttemptState.SENDING)
    await harness.services.reconciler.reconcile()
    attempt = await only_attempt(harness, left.job_id)
    assert (attempt.state, attempt.state.may_have_cost) == (AttemptState.UNCERTAIN, True)


async def test_loose_ends_are_tied_up_once(harness: Harness) -> None:
    await cancelled_and_killed(harness, AttemptState.ACCEPTED)
    await harness.services.reconciler.reconcile()
    await harness.services.reconciler.reconcile()
    assert len(harness.provider.cancelled) == 1


async def test_work_under_way_is_left_alone(harness: Harness) -> None:
    running = await harness.until((await harness.split()).id, State.PROCESSING)
    await harness.services.reconciler.reconcile()
    assert (await only_attempt(harness, running.id)).state is AttemptState.ACCEPTED
    assert harness.provider.cancelled == []


async def test_results_that_were_delivered_are_no_loose_end(harness: Harness) -> None:
    harness.provider.on_poll = []
    done = await harness.until((await harness.split()).id)
    assert done.state is State.DELIVERED
    await harness.services.reconciler.reconcile()
    assert (await only_attempt(harness, done.id)).state is AttemptState.DONE


async def test_a_provider_that_cannot_be_told_does_not_keep_a_job_from_being_cancelled(
    harness: Harness,
) -> None:
    harness.provider.on_cancel = [ProviderDown()]
    job: Job = await harness.until((await harness.split()).id, State.PROCESSING)
    stopped = await harness.services.splits.cancel(job.id, user_id=job.request.user_id)
    attempt = await only_attempt(harness, job.id)
    assert stopped.state is State.CANCELLED
    assert attempt.state is AttemptState.ABANDONED


async def test_a_provider_that_breaks_when_it_is_told_keeps_no_other_end_loose(
    harness: Harness,
) -> None:
    first = await cancelled_and_killed(harness, AttemptState.ACCEPTED)
    second = await cancelled_and_killed(harness, AttemptState.ACCEPTED)
    harness.provider.on_cancel = [ZeroDivisionError("a bug")]
    await harness.services.reconciler.reconcile()
    assert (await only_attempt(harness, first.job_id)).state is AttemptState.ACCEPTED
    assert (await only_attempt(harness, second.job_id)).state is AttemptState.ABANDONED


async def test_a_job_that_is_given_up_leaves_no_work_at_its_provider(harness: Harness) -> None:
    job = await harness.until((await harness.split()).id, State.PROCESSING)
    await harness.runtimes.interrupt(job.id)
    await harness.services.steps.give_up(harness.runtimes.open(job.id))
    assert (await harness.job(job.id)).state is State.FAILED
    assert (await only_attempt(harness, job.id)).state is AttemptState.ABANDONED
    assert len(harness.provider.cancelled) == 1


async def test_a_job_over_its_deadline_ends_though_its_provider_cannot_be_told(
    harness: Harness,
) -> None:
    harness.provider.on_cancel = [ProviderDown()]
    job = await harness.until((await harness.split()).id, State.PROCESSING)
    harness.clock.move(minutes=61)
    failed = await harness.until(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.TIMED_OUT
    assert len(harness.provider.cancelled) == 1
