"""Provider outages: jobs survive if they can wait, and fail early if waiting is pointless."""

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from bot.domain.attempt import RemoteFile
from bot.domain.errors import ProviderDown, ProviderProtocol, ProviderRefused, Reason
from bot.domain.job import Job, JobId, State, UserId
from bot.jobs.job_runtime import AwaitWake, Done, RetryAfter
from bot.jobs.runner import FALLBACK_WAKE_S
from bot.providers.interface import Accepted, Call, Failed, Finished, Lost, Running, Source
from bot.scheduling.progress import Stage
from tests.support.fakes import FakeClock, FakeProvider
from tests.support.harness import ADA, BEN, Harness


class Absent(FakeProvider):
    """A provider that is down for a time, for songs or for results."""

    def __init__(self, name: str, clock: FakeClock, **declared: Any) -> None:
        super().__init__(name, **declared)
        self._clock = clock
        self.takes_songs_at = self.gives_results_at = clock.now()

    def leaves(self, *, for_s: float) -> None:
        self.takes_songs_at = self._clock.now() + timedelta(seconds=for_s)

    def loses_results(self, *, for_s: float) -> None:
        self.gives_results_at = self._clock.now() + timedelta(seconds=for_s)

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        answer = await super().submit(call, source)
        if self._clock.now() < self.takes_songs_at:
            raise ProviderDown
        return answer

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        if self._clock.now() < self.gives_results_at:
            raise ProviderDown
        await super().fetch(file, into)


class Days(Harness):
    """A harness whose clock moves only by the pauses that jobs ask for."""

    async def begin(self, *, user_id: UserId = ADA) -> JobId:
        """Send a request with the runner stopped."""
        await self.services.runner.stop(grace_s=0)
        return (await self.split(user_id=user_id)).id

    async def pass_by(self, job_id: JobId, *, seconds: float = 86400) -> Job:
        """Advance the job until it is final or the given time has passed."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < end:
            match await self.advance(job_id):
                case Done():
                    break
                case RetryAfter(after_s):
                    self.clock.move(seconds=math.ceil(after_s))
                case AwaitWake():
                    self.clock.move(seconds=FALLBACK_WAKE_S)
        return await self.job(job_id)


class OpenDays(Protocol):
    async def __call__(self, *providers: FakeProvider, **settings: Any) -> Days: ...


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def opened(tmp_path: Path, clock: FakeClock) -> AsyncIterator[OpenDays]:
    async with AsyncExitStack() as stack:

        async def build(*providers: FakeProvider, **settings: Any) -> Days:
            days = await Days.build(tmp_path, *providers, clock=clock, **settings)
            stack.push_async_callback(days.close)
            return days

        yield build


@pytest.mark.parametrize("away_s", [60, 1200])
async def test_a_vendor_that_is_away_for_a_while_costs_no_job(
    opened: OpenDays, clock: FakeClock, away_s: int
) -> None:
    vendor = Absent("vendor", clock)
    vendor.leaves(for_s=away_s)
    harness = await opened(vendor)
    began = clock.now()
    assert (await harness.pass_by(await harness.begin())).state is State.DELIVERED
    assert (clock.now() - began).total_seconds() < away_s + 60 + 30  # a cooldown and a pause
    assert len(vendor.submits) < 10 + away_s / 10
    assert (await harness.usage()).used == 4


async def test_a_job_that_waits_for_a_vendor_says_so(opened: OpenDays, clock: FakeClock) -> None:
    vendor = Absent("vendor", clock)
    vendor.leaves(for_s=3600)
    harness = await opened(vendor)
    job_id = await harness.begin()
    await harness.pass_by(job_id, seconds=1)
    shown = harness.board.get(job_id)
    assert shown is not None
    assert (shown.stage, shown.provider) == (Stage.WAITING, "Vendor")
    assert shown.eta_s


async def test_when_every_provider_stays_down_jobs_wait_for_their_deadline_and_are_not_charged(
    opened: OpenDays, clock: FakeClock
) -> None:
    vendors = [Absent("first", clock), Absent("second", clock)]
    for vendor in vendors:
        vendor.leaves(for_s=86400)
    harness = await opened(*vendors, job_timeout_minutes=20)
    began = clock.now()
    failed = await harness.pass_by(await harness.begin())
    assert failed.state is State.FAILED
    assert failed.problem is not None
    assert failed.problem.reason is Reason.PROVIDERS_FAILED
    assert timedelta(minutes=20) <= clock.now() - began < timedelta(minutes=22)
    assert (await harness.usage()).left == 60


async def test_another_vendor_that_is_ready_takes_over_within_seconds(
    opened: OpenDays, clock: FakeClock
) -> None:
    first, second = Absent("first", clock), FakeProvider("second")
    first.leaves(for_s=3600)
    harness = await opened(first, second)
    began = clock.now()
    done = await harness.pass_by(await harness.begin())
    assert (done.state, done.provider) == (State.DELIVERED, "second")
    assert len(first.submits) == 3
    assert timedelta(seconds=3) < clock.now() - began < timedelta(seconds=15)


async def test_a_blink_of_the_preferred_vendor_moves_no_job(
    opened: OpenDays, clock: FakeClock
) -> None:
    first, second = Absent("first", clock), FakeProvider("second")
    first.leaves(for_s=2)
    harness = await opened(first, second)
    done = await harness.pass_by(await harness.begin())
    assert (done.state, done.provider) == (State.DELIVERED, "first")
    assert not second.submits


async def test_a_job_that_pauses_does_not_keep_the_vendor_from_the_next(
    opened: OpenDays, clock: FakeClock
) -> None:
    vendor = FakeProvider("vendor", concurrency=1)
    vendor.on_submit = [ProviderDown()]
    harness = await opened(vendor)
    pausing = await harness.begin()
    await harness.pass_by(pausing, seconds=1)
    done = await harness.pass_by(await harness.begin(user_id=BEN))
    assert done.state is State.DELIVERED
    assert (await harness.job(pausing)).state is State.SUBMITTING


async def test_results_out_of_reach_for_a_while_cost_no_job(
    opened: OpenDays, clock: FakeClock
) -> None:
    vendor = Absent("vendor", clock)
    vendor.loses_results(for_s=600)
    harness = await opened(vendor)
    job_id = await harness.begin()
    waiting = await harness.pass_by(job_id, seconds=500)
    assert waiting.state is State.PROCESSING
    assert (await harness.pass_by(job_id)).state is State.DELIVERED
    assert len(vendor.submits) == 1


async def test_results_out_of_reach_are_left_at_the_deadline(
    opened: OpenDays, clock: FakeClock
) -> None:
    vendor = Absent("vendor", clock)
    vendor.loses_results(for_s=86400)
    harness = await opened(vendor, job_timeout_minutes=10)
    began = clock.now()
    failed = await harness.pass_by(await harness.begin())
    assert failed.state is State.FAILED
    assert timedelta(minutes=10) <= clock.now() - began < timedelta(minutes=11)
    assert (await harness.usage()).left == 60


async def test_results_out_of_reach_are_made_anew_by_a_vendor_that_is_ready(
    opened: OpenDays, clock: FakeClock
) -> None:
    first, second = Absent("first", clock), FakeProvider("second")
    first.loses_results(for_s=3600)
    harness = await opened(first, second)
    done = await harness.pass_by(await harness.begin())
    assert (done.state, done.provider) == (State.DELIVERED, "second")


async def test_results_that_are_waited_for_leave_their_place_to_others(
    opened: OpenDays, clock: FakeClock
) -> None:
    vendor = Absent("vendor", clock, concurrency=1)
    vendor.loses_results(for_s=3600)
    harness = await opened(vendor)
    await harness.pass_by(await harness.begin(), seconds=60)
    second = await harness.pass_by(await harness.begin(user_id=BEN), seconds=1)
    assert second.state is State.PROCESSING


async def test_results_that_are_refused_are_not_waited_for_long(
    opened: OpenDays, clock: FakeClock
) -> None:
    class Forgetful(FakeProvider):
        async def fetch(self, file: RemoteFile, into: Path) -> None:
            raise ProviderProtocol("gone")

    harness = await opened(Forgetful("vendor"))
    began = clock.now()
    assert (await harness.pass_by(await harness.begin())).state is State.FAILED
    assert clock.now() - began < timedelta(minutes=1)


async def test_nobody_waits_for_a_model_that_only_the_owner_can_bring(opened: OpenDays) -> None:
    local = FakeProvider("local", is_hosted=False, is_resubmittable=True)
    local.on_submit = [ProviderRefused("no model")] * 10
    harness = await opened(local)
    assert (await harness.pass_by(await harness.begin())).state is State.FAILED
    assert len(local.submits) == 1


async def test_a_vendor_is_not_given_up_for_what_goes_wrong_before_the_song_is_sent(
    opened: OpenDays,
) -> None:
    vendor = FakeProvider("vendor")
    harness = await opened(vendor)
    job_id = await harness.begin()
    await harness.advance(job_id)
    work = harness.files.of(job_id).work
    work.rmdir()
    work.touch()  # a file in place of the directory
    with pytest.raises(FileExistsError):
        await harness.advance(job_id)
    assert await harness.jobs.attempts(job_id) == []
    work.unlink()
    assert (await harness.pass_by(job_id)).state is State.DELIVERED


async def test_results_found_after_a_long_stop_are_fetched_as_often_as_any(
    opened: OpenDays, clock: FakeClock
) -> None:
    vendor = Absent("vendor", clock)
    harness = await opened(vendor, job_timeout_minutes=60)
    job_id = await harness.begin()
    while (await harness.job(job_id)).state is not State.PROCESSING:
        await harness.advance(job_id)
    clock.move(minutes=120)
    vendor.loses_results(for_s=3)
    assert (await harness.pass_by(job_id)).state is State.DELIVERED
    assert len(vendor.submits) == 1


async def test_a_vendor_whose_every_task_fails_is_not_first_for_every_job(
    opened: OpenDays,
) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_poll = [Failed("broken")] * 100
    harness = await opened(first, second)
    for number in range(1, 6):
        done = await harness.pass_by(await harness.begin(user_id=UserId(number)))
        assert (done.state, done.provider) == (State.DELIVERED, "second")
    assert len(first.submits) == 3, "each may be billed"


async def test_a_vendor_whose_songs_all_time_out_is_not_first_for_every_job(
    opened: OpenDays, clock: FakeClock
) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    harness = await opened(first, second, job_timeout_minutes=1)
    for number in range(1, 6):
        first.on_poll = [Running()] * 10_000
        done = await harness.pass_by(await harness.begin(user_id=UserId(number)))
        assert (done.state, done.provider) == (State.DELIVERED, "second")
    assert len(first.submits) == 3


async def test_one_song_that_the_engine_cannot_do_rests_it_for_nobody(opened: OpenDays) -> None:
    local = FakeProvider("local", is_hosted=False, is_resubmittable=True)
    harness = await opened(local)
    local.on_poll = [Failed("killed")] * 3
    assert (await harness.pass_by(await harness.begin())).state is State.FAILED
    assert harness.services.breaker.cooldown_s("local") == 0
    assert (await harness.pass_by(await harness.begin(user_id=BEN))).state is State.DELIVERED


async def test_songs_that_a_restart_loses_do_not_rest_the_engine(opened: OpenDays) -> None:
    local = FakeProvider("local", is_hosted=False, is_resubmittable=True)
    harness = await opened(local)
    for number in range(1, 6):
        local.on_poll = [Lost()]
        done = await harness.pass_by(await harness.begin(user_id=UserId(number)))
        assert done.state is State.DELIVERED
    assert harness.services.breaker.cooldown_s("local") == 0
