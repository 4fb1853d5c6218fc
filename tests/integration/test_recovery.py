"""What a restart, a crash or a faulty provider may do to a job: nothing that costs twice."""

import asyncio
import errno
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.attempt import AttemptState
from bot.domain.errors import (
    NoRoom,
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    ProviderRefused,
    Reason,
    SubmitUncertain,
)
from bot.domain.job import State
from bot.domain.recipes import Stem
from bot.jobs.intake import DOWNLOAD_PAUSES_S
from bot.jobs.runner import MAX_FAILURES
from bot.net.downloads import DownloadFailed
from bot.providers.interface import Failed, Lost, Running
from tests.support.fakes import FakeProvider
from tests.support.harness import House


async def again(house: House, *providers: FakeProvider) -> House:
    """Start anew on the same files, and resume."""
    restarted = await House.build(house.root, *(providers or (FakeProvider(),)), clock=house.clock)
    await restarted.services.splits.resume()
    return restarted


async def test_a_restart_while_processing_polls_again_and_submits_nothing(house: House) -> None:
    house.provider.on_poll = [Running(0.5)] * 10_000
    job = await house.split()
    await house.until(job.id, State.PROCESSING)
    await house.close()
    second = await again(house)
    assert (await second.until(job.id)).state is State.DELIVERED
    assert not second.provider.submits
    assert (await second.usage()).used == 4
    await second.close()


async def test_a_restart_before_the_download_starts_it_over(house: House) -> None:
    house.downloads.gate = asyncio.Event()
    job = await house.split()
    await asyncio.sleep(0.02)
    await house.close()
    second = await again(house)
    assert (await second.until(job.id)).state is State.DELIVERED
    await second.close()


async def test_a_request_found_unacknowledged_at_start_is_cancelled(house: House) -> None:
    job = await house.receive()
    await house.close()
    second = await again(house)
    cancelled = await second.until(job.id)
    assert cancelled.state is State.CANCELLED
    assert cancelled.problem is not None
    assert cancelled.problem.reason is Reason.UNACKNOWLEDGED
    await second.close()


async def test_a_request_found_unacknowledged_is_told_so_in_case_discord_shows_it_thinking(
    house: House,
) -> None:
    job = await house.receive()
    await house.close()
    second = await again(house)
    await second.until(job.id)
    stale = await second.jobs.stale_replies(await second.jobs.owed())
    await second.close()
    assert [each.job.id for each in stale] == [job.id]


async def test_a_submit_cut_off_by_a_crash_is_never_sent_again(house: House) -> None:
    house.provider.gate = asyncio.Event()
    job = await house.split()
    while not house.provider.submits:
        await asyncio.sleep(0.005)
    await house.close()  # the stop finds the submit in flight
    first, other = FakeProvider("fake"), FakeProvider("other")
    second = await again(house, first, other)
    assert (await second.until(job.id)).state is State.DELIVERED
    assert not first.submits
    states = {each.provider: each.state for each in await second.jobs.attempts(job.id)}
    assert states == {"fake": AttemptState.UNCERTAIN, "other": AttemptState.DONE}
    await second.close()


async def test_a_sending_attempt_found_at_start_counts_as_uncertain(house: House) -> None:
    house.provider.gate = asyncio.Event()
    job = await house.split()
    while not house.provider.submits:
        await asyncio.sleep(0.005)
    [attempt] = await house.jobs.attempts(job.id)
    assert attempt.state is AttemptState.SENDING  # committed before the call
    await house.close()
    db_copy = await House.build(house.root)
    await db_copy.jobs.record(attempt)  # as if the process had died before it could say so
    await db_copy.close()
    second = await again(house)
    failed = await second.until(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.PROVIDERS_FAILED
    assert not second.provider.submits
    assert (await second.usage()).left == 60
    await second.close()


async def test_a_local_job_lost_in_a_restart_is_started_again_up_to_three_times(
    house: House,
) -> None:
    declared = {"is_hosted": False, "is_resubmittable": True}
    await house.close()
    house = await House.build(house.root, FakeProvider("local", **declared))
    house.provider.on_poll = [Lost()] * 10
    job = await house.split()
    failed = await house.until(job.id)
    assert failed.state is State.FAILED
    assert len(house.provider.submits) == 3
    assert (await house.usage()).left == 60
    await house.close()


async def test_an_uncertain_submit_moves_on_to_the_next_provider(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_submit = [SubmitUncertain()]
    house = await House.build(tmp_path, first, second)
    job = await house.split()
    done = await house.until(job.id)
    assert (done.state, done.provider) == (State.DELIVERED, "second")
    assert len(first.submits) == 1
    [uncertain, _] = await house.jobs.attempts(job.id)
    assert (uncertain.state, uncertain.cost_minutes) == (AttemptState.UNCERTAIN, 4)
    await house.close()


async def test_a_submit_without_an_answer_by_the_deadline_is_uncertain(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.gate = asyncio.Event()  # as a service that works while its caller waits
    house = await House.build(tmp_path, first, second, job_timeout_minutes=0.001)
    done = await house.until((await house.split()).id)
    assert (done.state, done.provider) == (State.DELIVERED, "second")
    [uncertain, _] = await house.jobs.attempts(done.id)
    assert uncertain.state is AttemptState.UNCERTAIN
    await house.close()


async def test_a_refused_key_rests_the_provider_and_the_next_takes_over(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_submit = [ProviderAuth()]
    house = await House.build(tmp_path, first, second)
    for _ in range(2):
        done = await house.until((await house.split()).id)
        assert done.provider == "second"
    assert len(first.submits) == 1
    await house.close()


async def test_a_provider_that_refuses_one_file_is_asked_again_for_the_next(
    tmp_path: Path,
) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_submit = [ProviderRefused()]
    house = await House.build(tmp_path, first, second)
    assert (await house.until((await house.split()).id)).provider == "second"
    assert (await house.until((await house.split()).id)).provider == "first"
    await house.close()


async def test_a_busy_provider_keeps_the_hold_and_gets_the_job_later(house: House) -> None:
    house.provider.on_submit = [ProviderBusy(retry_after_s=5)]
    job = await house.split()
    while not house.provider.submits:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    assert (await house.usage()).held == 4
    house.clock.move(seconds=6)
    house.services.runner.wake(job.id)
    assert (await house.until(job.id)).state is State.DELIVERED
    assert [each.state for each in await house.jobs.attempts(job.id)] == [
        AttemptState.NOT_SENT,
        AttemptState.DONE,
    ]


async def test_a_failed_separation_goes_to_the_next_provider(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_poll = [Failed("broken")]
    house = await House.build(tmp_path, first, second)
    done = await house.until((await house.split()).id)
    assert (done.state, done.provider) == (State.DELIVERED, "second")
    await house.close()


@pytest.mark.parametrize("error", [ProviderAuth(), ProviderProtocol()])
async def test_a_task_that_can_no_longer_be_asked_about_is_left_for_the_next_provider(
    tmp_path: Path, error: ProviderError
) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_poll = [error] * 10_000
    house = await House.build(tmp_path, first, second)
    done = await house.until((await house.split()).id)
    assert (done.state, done.provider) == (State.DELIVERED, "second")
    [left, _] = await house.jobs.attempts(done.id)
    assert (left.state, left.error) == (AttemptState.ABANDONED, type(error).__name__)
    assert len(first.submits) == 1
    await house.close()


async def test_a_provider_out_of_reach_while_it_works_is_waited_for(house: House) -> None:
    house.provider.on_poll = [ProviderDown()] * 30
    done = await house.until((await house.split()).id)
    assert done.state is State.DELIVERED
    assert len(house.provider.submits) == 1


async def test_an_attempt_over_its_deadline_is_abandoned_after_one_more_poll(house: House) -> None:
    house.provider.on_poll = [Running()] * 10_000
    job = await house.split()
    await house.until(job.id, State.PROCESSING)
    house.clock.at += timedelta(minutes=61)
    failed = await house.until(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.TIMED_OUT
    [attempt] = await house.jobs.attempts(job.id)
    assert (attempt.state, attempt.error) == (AttemptState.ABANDONED, "TimedOut")
    assert (await house.usage()).left == 60


async def test_a_job_ready_at_the_crash_is_delivered_and_not_separated_again(
    house: House,
) -> None:
    house.delivery.answers = [TimeoutError()] * 5
    job = await house.split()
    await house.until(job.id, State.READY)
    await house.close()
    second = await again(house)
    assert (await second.until(job.id)).state is State.DELIVERED
    assert not second.provider.submits
    assert (await second.usage()).used == 4
    assert house.files.of(job.id).master(Stem.VOCALS).exists()
    await second.close()


@pytest.mark.parametrize("is_empty", [False, True])
async def test_a_job_whose_stems_are_lost_before_their_delivery_is_not_charged(
    house: House, is_empty: bool
) -> None:
    house.delivery.answers = [TimeoutError()] * 5
    job = await house.split()
    await house.until(job.id, State.READY)
    await house.close()
    lost = house.files.of(job.id).master(Stem.VOCALS)
    lost.write_bytes(b"") if is_empty else lost.unlink()
    second = await again(house)
    failed = await second.until(job.id)
    usage = await second.usage()
    await second.close()
    assert failed.state is State.FAILED
    assert failed.problem is not None
    assert failed.problem.reason is Reason.STEMS_LOST
    assert (usage.left, usage.used) == (60, 0)


async def test_a_step_that_keeps_failing_ends_the_job_without_a_charge(house: House) -> None:
    house.audio.decode_error = RuntimeError("a bug")
    job = await house.split()
    async with asyncio.timeout(30):
        while not (await house.job(job.id)).state.is_final:
            house.services.runner.wake(job.id)
            await asyncio.sleep(0.005)
    failed = await house.job(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.INTERNAL
    assert (await house.usage()).left == 60


async def test_a_file_out_of_reach_for_two_minutes_is_fetched_all_the_same(house: House) -> None:
    assert sum(DOWNLOAD_PAUSES_S) >= 120
    house.downloads.errors = [DownloadFailed("no connection") for _ in DOWNLOAD_PAUSES_S]
    job = await house.split()
    while house.downloads.errors:
        await asyncio.sleep(0.005)
        house.services.runner.wake(job.id)
    assert (await house.until(job.id)).state is State.DELIVERED


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), NoRoom("said by a child")]
)
async def test_a_full_disk_is_waited_for_and_costs_no_job(house: House, error: Exception) -> None:
    house.audio.decode_error = error
    job = await house.split()
    for _ in range(2 * MAX_FAILURES):
        await asyncio.sleep(0.01)
        house.services.runner.wake(job.id)
    assert (await house.job(job.id)).state is State.RECEIVED
    house.audio.decode_error = None
    house.services.runner.wake(job.id)
    assert (await house.until(job.id)).state is State.DELIVERED
