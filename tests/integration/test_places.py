"""A slot at a vendor is freed when the vendor is done, not when the job ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from bot.domain.attempt import RemoteRef
from bot.domain.errors import ProviderAuth, ProviderError
from bot.domain.job import Job, State
from bot.providers.interface import Accepted, Call, Failed, Finished, Lost, Running, Source
from tests.support.fakes import FakeClock, FakeProvider
from tests.support.harness import ADA, BEN, Harness


class OneAtATime(FakeProvider):
    """Works on one song at a time, until the test ends the work."""

    def __init__(self, **declared: Any) -> None:
        super().__init__("vendor", concurrency=1, **declared)
        self.at_work: set[RemoteRef] = set()
        self.most_at_work = 0
        self.poll_error: ProviderError | None = None

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        answer = await super().submit(call, source)
        if isinstance(answer, Accepted):
            self.at_work.add(answer.ref)
            self.most_at_work = max(self.most_at_work, len(self.at_work))
        return answer

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        if self.poll_error is not None:
            raise self.poll_error
        return Running() if ref in self.at_work else self.finishes()

    async def cancel(self, ref: RemoteRef) -> None:
        await super().cancel(ref)
        self.at_work.discard(ref)


class Build(Protocol):
    async def __call__(self, *providers: FakeProvider) -> Harness: ...


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def build(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Build]:
    async with AsyncExitStack() as stack:

        async def opened(*providers: FakeProvider) -> Harness:
            harness = await Harness.build(tmp_path, *providers, clock=clock)
            stack.push_async_callback(harness.close)
            return harness

        yield opened


async def happened(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.005)


def at_vendor(harness: Harness) -> tuple[int, int]:
    counts = harness.services.queue.counts()
    return counts["vendor", "inside"], counts["vendor", "waiting"]


async def waits_behind_a_cancelled_song(harness: Harness) -> Job:
    """Cancel Ada's song, on which the vendor keeps working, and return Ben's waiting job."""
    first = await harness.until((await harness.split()).id, State.PROCESSING)
    second = await harness.split(user_id=BEN)
    await happened(lambda: at_vendor(harness) == (1, 1))
    await harness.services.splits.cancel(first.id, user_id=ADA)
    await harness.services.reconciler.free_places()
    await asyncio.sleep(0.05)
    assert at_vendor(harness) == (1, 1)
    return second


async def test_a_cancelled_songs_place_is_free_when_its_vendor_has_ended(build: Build) -> None:
    vendor = OneAtATime()
    harness = await build(vendor)
    second = await waits_behind_a_cancelled_song(harness)
    vendor.at_work.clear()
    await harness.services.reconciler.free_places()
    await harness.until(second.id, State.PROCESSING)
    assert vendor.most_at_work == 1
    assert at_vendor(harness) == (1, 0)


async def test_a_cancelled_songs_place_is_free_at_its_deadline(
    build: Build, clock: FakeClock
) -> None:
    vendor = OneAtATime()
    harness = await build(vendor)
    second = await waits_behind_a_cancelled_song(harness)
    clock.move(minutes=61)
    await harness.services.reconciler.free_places()
    await harness.until(second.id, State.PROCESSING)


async def test_a_vendor_that_can_cancel_is_free_at_once(build: Build) -> None:
    vendor = OneAtATime(can_cancel=True)
    harness = await build(vendor)
    first = await harness.until((await harness.split()).id, State.PROCESSING)
    second = await harness.split(user_id=BEN)
    await harness.services.splits.cancel(first.id, user_id=ADA)
    await harness.until(second.id, State.PROCESSING)
    assert vendor.most_at_work == 1


async def test_a_song_cancelled_while_it_is_submitted_keeps_its_place(build: Build) -> None:
    vendor = OneAtATime()
    vendor.gate = asyncio.Event()
    harness = await build(vendor)
    first = await harness.split()
    await happened(lambda: bool(vendor.submits))
    second = await harness.split(user_id=BEN)
    await happened(lambda: at_vendor(harness) == (1, 1))
    await harness.services.splits.cancel(first.id, user_id=ADA)
    await asyncio.sleep(0.05)
    assert at_vendor(harness) == (1, 1)
    vendor.gate.set()
    await happened(lambda: not harness.runtimes.is_sending(first.id))
    assert at_vendor(harness) == (1, 1), "the vendor has accepted it"
    vendor.at_work.clear()
    await harness.services.reconciler.free_places()
    await harness.until(second.id, State.PROCESSING)


async def test_a_submit_that_fails_after_its_song_was_cancelled_frees_the_place(
    build: Build,
) -> None:
    vendor = OneAtATime()
    vendor.gate, vendor.on_submit = asyncio.Event(), [ProviderAuth()]
    harness = await build(vendor)
    first = await harness.split()
    await happened(lambda: bool(vendor.submits))
    await harness.services.splits.cancel(first.id, user_id=ADA)
    assert at_vendor(harness) == (1, 0)
    vendor.gate.set()
    await happened(lambda: at_vendor(harness) == (0, 0))


async def test_a_vendor_that_answers_no_poll_keeps_the_place_that_it_may_need(
    build: Build, clock: FakeClock
) -> None:
    vendor, other = OneAtATime(), FakeProvider("other")
    harness = await build(vendor, other)
    job = await harness.until((await harness.split()).id, State.PROCESSING)
    vendor.poll_error = ProviderAuth()
    done = await harness.until(job.id, is_awake=True)
    assert (done.state, done.provider) == (State.DELIVERED, "other")
    assert at_vendor(harness) == (1, 0)
    clock.move(minutes=61)
    await harness.services.reconciler.free_places()
    assert at_vendor(harness) == (0, 0)


async def test_a_restart_remembers_the_places_of_cancelled_songs(build: Build) -> None:
    vendor = OneAtATime()
    harness = await build(vendor)
    first = await harness.until((await harness.split()).id, State.PROCESSING)
    await harness.services.splits.cancel(first.id, user_id=ADA)
    restarted = await build(vendor)
    await restarted.services.reconciler.restore_places()
    second = await restarted.split(user_id=BEN)
    await happened(lambda: at_vendor(restarted) == (1, 1))
    vendor.at_work.clear()
    await restarted.services.reconciler.free_places()
    assert (await restarted.until(second.id, State.PROCESSING)).provider == "vendor"


async def test_a_restart_frees_at_once_the_places_of_songs_that_have_ended(build: Build) -> None:
    vendor = OneAtATime()
    harness = await build(vendor)
    first = await harness.until((await harness.split()).id, State.PROCESSING)
    await harness.services.splits.cancel(first.id, user_id=ADA)
    vendor.at_work.clear()
    restarted = await build(vendor)
    running = asyncio.create_task(restarted.services.reconciler.run())
    try:
        await happened(lambda: at_vendor(restarted) == (0, 0))
        second = await restarted.until((await restarted.split(user_id=BEN)).id, State.PROCESSING)
        assert second.provider == "vendor"
    finally:
        running.cancel()
