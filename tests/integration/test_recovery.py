"""Restarts, crashes and faulty providers, none of which may make a job cost twice."""

import asyncio
import errno
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.attempt import AttemptError, AttemptState
from bot.domain.backoff import backoff_s
from bot.domain.errors import (
    NoRoom,
    Problem,
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    ProviderRefused,
    Reason,
    StoreUnavailable,
    SubmitUncertain,
)
from bot.domain.job import JobId, State, UserId
from bot.domain.minutes import Void
from bot.domain.recipes import Stem
from bot.jobs.intake import MAX_DOWNLOADS
from bot.jobs.runner import MAX_FAILED_STEPS
from bot.jobs.split_service import RESUMED_AT_ONCE
from bot.net.downloads import DownloadFailed
from bot.providers.interface import Failed, Lost, Running
from tests.support.fakes import FakeProvider
from tests.support.harness import Harness


async def again(harness: Harness, *providers: FakeProvider) -> Harness:
    """Restart on the same files, and resume."""
    restarted = await Harness.build(
        harness.root, *(providers or (FakeProvider(),)), clock=harness.clock
    )
    await restarted.resume()
    return restarted


async def cancel_elsewhere(harness: Harness, job_id: JobId) -> None:
    """Cancel a processing job as another bot does, but without its signal."""
    job = await harness.job(job_id)
    cancelled = job.cancelled(harness.clock.now(), Problem(Reason.STOPPED_BY_USER))
    await harness.jobs.save(cancelled, expected=State.PROCESSING, ledger=Void(job_id))


async def test_a_restart_while_processing_polls_again_and_submits_nothing(harness: Harness) -> None:
    harness.provider.on_poll = [Running(0.5)] * 10_000
    job = await harness.split()
    await harness.until(job.id, State.PROCESSING)
    await harness.close()
    second = await again(harness)
    assert (await second.until(job.id)).state is State.DELIVERED
    assert not second.provider.submits
    assert (await second.usage()).used == 4
    await second.close()


async def test_a_restart_before_the_download_starts_it_over(harness: Harness) -> None:
    harness.downloads.gate = asyncio.Event()
    job = await harness.split()
    await asyncio.sleep(0.02)
    await harness.close()
    second = await again(harness)
    assert (await second.until(job.id)).state is State.DELIVERED
    await second.close()


async def test_others_have_their_turn_while_many_jobs_are_resumed(harness: Harness) -> None:
    harness.downloads.gate = asyncio.Event()
    many = 3 * RESUMED_AT_ONCE
    for user in range(many):
        await harness.split(user_id=UserId(user + 1))
    await harness.close()
    second = await Harness.build(harness.root, FakeProvider(), clock=harness.clock)
    second.downloads.gate = asyncio.Event()
    seen: list[int] = []

    async def watch() -> None:
        while True:
            seen.append(sum(each.task is not None for each in second.runtimes))
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    resumed = await second.resume()
    watching.cancel()
    await second.close()
    assert resumed == many
    assert any(0 < begun < many for begun in seen)


async def test_a_request_that_comes_before_a_job_is_resumed_does_not_get_its_place(
    harness: Harness,
) -> None:
    harness.provider.on_poll = [Running(0.5)] * 10_000
    earlier = await harness.split()
    await harness.until(earlier.id, State.PROCESSING)
    await harness.close()
    second = await Harness.build(harness.root, FakeProvider(concurrency=1), clock=harness.clock)
    unfinished = await second.services.splits.restore()
    later = await second.split(user_id=UserId(7))
    async with asyncio.timeout(5):
        while second.services.queue.counts()["fake", "waiting"] == 0:
            assert not second.provider.submits
            await asyncio.sleep(0.01)
    await second.services.splits.resume(unfinished)
    assert (await second.until(earlier.id)).state is State.DELIVERED
    assert (await second.until(later.id)).state is State.DELIVERED
    assert len(second.provider.submits) == 1
    await second.close()


async def test_a_start_that_was_repeated_keeps_nothing_for_a_job_that_ended_in_between(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.provider.on_poll = [Running(0.5)] * 10_000
    job = await harness.split()
    await harness.until(job.id, State.PROCESSING)
    await harness.receive(user_id=UserId(7))
    await harness.close()
    second = await Harness.build(harness.root, FakeProvider(), clock=harness.clock)

    async def locked(*_: object, **__: object) -> None:
        raise StoreUnavailable("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(second.jobs, "save", locked)
        with pytest.raises(StoreUnavailable):
            await second.services.splits.restore()
    await cancel_elsewhere(second, job.id)
    await second.resume()
    await second.until_idle()
    assert second.services.queue.counts()["fake", "inside"] == 0
    await second.close()


async def test_a_place_restored_for_a_job_that_was_cancelled_before_its_turn_is_freed(
    harness: Harness,
) -> None:
    harness.provider.on_poll = [Running(0.5)] * 10_000
    job = await harness.split()
    await harness.until(job.id, State.PROCESSING)
    await harness.close()
    provider = FakeProvider(concurrency=1, can_cancel=True)
    second = await Harness.build(harness.root, provider, clock=harness.clock)
    unfinished = await second.services.splits.restore()
    await cancel_elsewhere(second, job.id)
    await second.services.splits.resume(unfinished)
    await second.until_idle()
    await second.services.reconciler.reconcile()
    assert second.services.queue.counts()["fake", "inside"] == 0
    await second.close()


async def test_a_job_that_cannot_be_read_keeps_no_place_from_others(harness: Harness) -> None:
    harness.provider.on_poll = [Running(0.5)] * 10_000
    job = await harness.split()
    await harness.until(job.id, State.PROCESSING)
    await harness.close()
    second = await Harness.build(harness.root, FakeProvider(concurrency=1), clock=harness.clock)
    await second.db.write(lambda conn: conn.execute("UPDATE attempts SET files = '7'"))
    await second.resume()
    later = await second.split(user_id=UserId(7))
    assert (await second.until(later.id)).state is State.DELIVERED
    await second.close()


async def test_a_request_found_unacknowledged_at_start_is_cancelled(harness: Harness) -> None:
    job = await harness.receive()
    await harness.close()
    second = await again(harness)
    cancelled = await second.until(job.id)
    assert cancelled.state is State.CANCELLED
    assert cancelled.problem is not None
    assert cancelled.problem.reason is Reason.UNACKNOWLEDGED
    await second.close()


async def test_a_request_found_unacknowledged_is_told_so_in_case_discord_shows_it_thinking(
    harness: Harness,
) -> None:
    job = await harness.receive()
    await harness.close()
    second = await again(harness)
    await second.until(job.id)
    stale = await second.jobs.stale_replies(await second.jobs.owed())
    await second.close()
    assert [each.job.id for each in stale] == [job.id]


async def test_a_submit_cut_off_by_a_crash_is_never_sent_again(harness: Harness) -> None:
    harness.provider.gate = asyncio.Event()
    job = await harness.split()
    while not harness.provider.submits:
        await asyncio.sleep(0.005)
    await harness.close()  # stops while the submit is in flight
    first, other = FakeProvider("fake"), FakeProvider("other")
    second = await again(harness, first, other)
    assert (await second.until(job.id)).state is State.DELIVERED
    assert not first.submits
    states = {each.provider: each.state for each in await second.jobs.attempts(job.id)}
    assert states == {"fake": AttemptState.UNCERTAIN, "other": AttemptState.DONE}
    await second.close()


async def test_a_sending_attempt_found_at_start_counts_as_uncertain(harness: Harness) -> None:
    harness.provider.gate = asyncio.Event()
    job = await harness.split()
    while not harness.provider.submits:
        await asyncio.sleep(0.005)
    [attempt] = await harness.jobs.attempts(job.id)
    assert attempt.state is AttemptState.SENDING  # committed before the call
    await harness.close()
    db_copy = await Harness.build(harness.root)
    await db_copy.jobs.record(attempt)  # as if the process had died before recording the outcome
    await db_copy.close()
    second = await again(harness)
    failed = await second.until(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.PROVIDERS_FAILED
    assert not second.provider.submits
    assert (await second.usage()).left == 60
    await second.close()


async def test_a_local_job_lost_in_a_restart_is_started_again_up_to_three_times(
    harness: Harness,
) -> None:
    declared = {"is_hosted": False, "is_resubmittable": True}
    await harness.close()
    harness = await Harness.build(harness.root, FakeProvider("local", **declared))
    harness.provider.on_poll = [Lost()] * 10
    job = await harness.split()
    failed = await harness.until(job.id)
    assert failed.state is State.FAILED
    assert len(harness.provider.submits) == 3
    assert (await harness.usage()).left == 60
    await harness.close()


async def test_an_uncertain_submit_moves_on_to_the_next_provider(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_submit = [SubmitUncertain()]
    harness = await Harness.build(tmp_path, first, second)
    job = await harness.split()
    done = await harness.until(job.id)
    assert (done.state, done.provider) == (State.DELIVERED, "second")
    assert len(first.submits) == 1
    [uncertain, _] = await harness.jobs.attempts(job.id)
    assert (uncertain.state, uncertain.cost_minutes) == (AttemptState.UNCERTAIN, 4)
    await harness.close()


async def test_a_submit_without_an_answer_by_the_deadline_is_uncertain(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.gate = asyncio.Event()  # like a service that works while its caller waits
    harness = await Harness.build(tmp_path, first, second, job_timeout_minutes=0.001)
    done = await harness.until((await harness.split()).id)
    assert (done.state, done.provider) == (State.DELIVERED, "second")
    [uncertain, _] = await harness.jobs.attempts(done.id)
    assert uncertain.state is AttemptState.UNCERTAIN
    await harness.close()


async def test_a_refused_key_rests_the_provider_and_the_next_takes_over(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_submit = [ProviderAuth()]
    harness = await Harness.build(tmp_path, first, second)
    for _ in range(2):
        done = await harness.until((await harness.split()).id)
        assert done.provider == "second"
    assert len(first.submits) == 1
    await harness.close()


async def test_a_provider_that_refuses_one_file_is_asked_again_for_the_next(
    tmp_path: Path,
) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_submit = [ProviderRefused()]
    harness = await Harness.build(tmp_path, first, second)
    assert (await harness.until((await harness.split()).id)).provider == "second"
    assert (await harness.until((await harness.split()).id)).provider == "first"
    await harness.close()


async def test_a_busy_provider_keeps_the_hold_and_gets_the_job_later(harness: Harness) -> None:
    harness.provider.on_submit = [ProviderBusy(retry_after_s=5)]
    job = await harness.split()
    while not harness.provider.submits:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    assert (await harness.usage()).held == 4
    harness.clock.move(seconds=6)
    harness.services.runner.wake(job.id)
    assert (await harness.until(job.id)).state is State.DELIVERED
    assert [each.state for each in await harness.jobs.attempts(job.id)] == [
        AttemptState.NOT_SENT,
        AttemptState.DONE,
    ]


async def test_a_failed_separation_goes_to_the_next_provider(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_poll = [Failed("broken")]
    harness = await Harness.build(tmp_path, first, second)
    done = await harness.until((await harness.split()).id)
    assert (done.state, done.provider) == (State.DELIVERED, "second")
    await harness.close()


@pytest.mark.parametrize("error", [ProviderAuth(), ProviderProtocol()])
async def test_a_task_that_can_no_longer_be_asked_about_is_left_for_the_next_provider(
    tmp_path: Path, error: ProviderError
) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_poll = [error] * 10_000
    harness = await Harness.build(tmp_path, first, second)
    done = await harness.until((await harness.split()).id)
    assert (done.state, done.provider) == (State.DELIVERED, "second")
    [left, _] = await harness.jobs.attempts(done.id)
    assert (left.state, left.error) == (AttemptState.ABANDONED, AttemptError.of(error))
    assert len(first.submits) == 1
    await harness.close()


async def test_a_provider_out_of_reach_while_it_works_is_waited_for(harness: Harness) -> None:
    harness.provider.on_poll = [ProviderDown()] * 30
    done = await harness.until((await harness.split()).id)
    assert done.state is State.DELIVERED
    assert len(harness.provider.submits) == 1


async def test_an_attempt_over_its_deadline_is_abandoned_after_one_more_poll(
    harness: Harness,
) -> None:
    harness.provider.on_poll = [Running()] * 10_000
    job = await harness.split()
    await harness.until(job.id, State.PROCESSING)
    harness.clock.at += timedelta(minutes=61)
    failed = await harness.until(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.TIMED_OUT
    [attempt] = await harness.jobs.attempts(job.id)
    assert (attempt.state, attempt.error) == (AttemptState.ABANDONED, AttemptError.TIMED_OUT)
    assert (await harness.usage()).left == 60


async def test_a_job_ready_at_the_crash_is_delivered_and_not_separated_again(
    harness: Harness,
) -> None:
    harness.delivery.answers = [TimeoutError()] * 5
    job = await harness.split()
    await harness.until(job.id, State.READY)
    await harness.close()
    second = await again(harness)
    assert (await second.until(job.id)).state is State.DELIVERED
    assert not second.provider.submits
    assert (await second.usage()).used == 4
    assert harness.files.of(job.id).master(Stem.VOCALS).exists()
    await second.close()


@pytest.mark.parametrize("is_empty", [False, True])
async def test_a_job_whose_stems_are_lost_before_their_delivery_is_not_charged(
    harness: Harness, is_empty: bool
) -> None:
    harness.delivery.answers = [TimeoutError()] * 5
    job = await harness.split()
    await harness.until(job.id, State.READY)
    await harness.close()
    lost = harness.files.of(job.id).master(Stem.VOCALS)
    lost.write_bytes(b"") if is_empty else lost.unlink()
    second = await again(harness)
    failed = await second.until(job.id)
    usage = await second.usage()
    await second.close()
    assert failed.state is State.FAILED
    assert failed.problem is not None
    assert failed.problem.reason is Reason.STEMS_LOST
    assert (usage.left, usage.used) == (60, 0)


async def test_a_step_that_keeps_failing_ends_the_job_without_a_charge(harness: Harness) -> None:
    harness.audio.decode_error = RuntimeError("a bug")
    job = await harness.split()
    async with asyncio.timeout(30):
        while not (await harness.job(job.id)).state.is_final:
            harness.services.runner.wake(job.id)
            await asyncio.sleep(0.005)
    failed = await harness.job(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.INTERNAL
    assert (await harness.usage()).left == 60


async def test_a_file_out_of_reach_for_two_minutes_is_fetched_all_the_same(
    harness: Harness,
) -> None:
    failures = range(1, MAX_DOWNLOADS)
    harness.downloads.errors = [DownloadFailed("no connection") for _ in failures]
    job = await harness.split()
    assert sum(backoff_s(each, key=job.id) for each in failures) >= 120
    while harness.downloads.errors:
        await asyncio.sleep(0.005)
        harness.services.runner.wake(job.id)
    assert (await harness.until(job.id)).state is State.DELIVERED


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), NoRoom("said by a child")]
)
async def test_a_full_disk_is_waited_for_and_costs_no_job(
    harness: Harness, error: Exception
) -> None:
    harness.audio.decode_error = error
    job = await harness.split()
    for _ in range(2 * MAX_FAILED_STEPS):
        await asyncio.sleep(0.01)
        harness.services.runner.wake(job.id)
    assert (await harness.job(job.id)).state is State.RECEIVED
    harness.audio.decode_error = None
    harness.services.runner.wake(job.id)
    assert (await harness.until(job.id)).state is State.DELIVERED
