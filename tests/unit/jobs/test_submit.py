"""Handling of a provider's answer to a submit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.attempt import RemoteRef
from bot.domain.errors import Reason
from bot.domain.job import JobId, State
from bot.providers.interface import (
    Accepted,
    Call,
    Failed,
    Finished,
    Lost,
    Running,
    Source,
)
from bot.scheduling.progress import Stage
from tests.support.fakes import FakeClock, FakeProvider
from tests.support.harness import Harness


class SlowToAnswer(FakeProvider):
    """Accepts a song at once, and answers polls only when released."""

    def __init__(self) -> None:
        super().__init__("slow")
        self.may_answer = asyncio.Event()
        self.is_polled = asyncio.Event()

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        self.is_polled.set()
        await self.may_answer.wait()
        return await super().poll(ref)


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Harness]]]:
    async with AsyncExitStack() as stack:

        async def opened(*providers: FakeProvider, **parts: Any) -> Harness:
            harness = await Harness.build(tmp_path, *providers, **parts)
            stack.push_async_callback(harness.close)
            return harness

        yield opened


async def test_the_card_says_who_has_the_song_before_the_first_poll_is_answered(
    build: Callable[..., Awaitable[Harness]],
) -> None:
    provider = SlowToAnswer()
    harness = await build(provider)
    job = await harness.split()
    async with asyncio.timeout(30):
        await provider.is_polled.wait()
    shown = harness.board.get(job.id)
    assert shown is not None
    assert (shown.stage, shown.provider) == (Stage.SEPARATING, "Slow")
    assert shown.eta_s
    provider.may_answer.set()
    assert (await harness.until(job.id)).state is State.DELIVERED


class AnswersWithResults(FakeProvider):
    """Returns results from the submit itself."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__("sync", is_synchronous=True)
        self._clock = clock

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        await super().submit(call, source)
        self._clock.move(seconds=100)
        return self.finishes()


async def test_a_synchronous_providers_time_is_learnt(
    build: Callable[..., Awaitable[Harness]],
) -> None:
    clock = FakeClock()
    harness = await build(AnswersWithResults(clock), clock=clock)
    done = await harness.until((await harness.split()).id)
    throughput = harness.services.throughput
    assert done.state is State.DELIVERED
    assert throughput.estimate_s("sync", [done]) == pytest.approx(100)
    twice_as_long = replace(done, frames=2 * (done.frames or 0))
    assert throughput.estimate_s("sync", [twice_as_long]) == pytest.approx(200)


class Unmanned(FakeProvider):
    """A provider whose workers a test starts and stops."""

    def __init__(self) -> None:
        super().__init__("workers", is_hosted=False, is_resubmittable=True)
        self.is_manned = False

    def has_worker_for(self, model: str) -> bool:
        assert model == self.capabilities.models[0].name
        return self.is_manned


async def test_a_song_waits_for_a_worker_and_the_card_says_so(
    build: Callable[..., Awaitable[Harness]],
) -> None:
    provider = Unmanned()
    harness = await build(provider)
    job = await harness.split()
    await until_stage(harness, job.id, Stage.NO_WORKER)
    assert provider.submits == []
    assert harness.services.queue.counts()["workers", "waiting"] == 0
    provider.is_manned = True
    harness.services.runner.wake(job.id)
    assert (await harness.until(job.id)).state is State.DELIVERED


async def test_a_song_that_waits_for_a_worker_in_vain_fails_at_the_deadline(
    build: Callable[..., Awaitable[Harness]],
) -> None:
    harness = await build(Unmanned(), job_timeout_minutes=60)
    job = await harness.split()
    await until_stage(harness, job.id, Stage.NO_WORKER)
    harness.clock.move(minutes=61)
    harness.services.runner.wake(job.id)
    assert (await harness.until(job.id)).state is State.FAILED


async def test_another_provider_gets_the_song_while_no_worker_is_running(
    build: Callable[..., Awaitable[Harness]],
) -> None:
    unmanned, other = Unmanned(), FakeProvider("other")
    harness = await build(unmanned, other)
    job = await harness.split()
    assert (await harness.until(job.id)).state is State.DELIVERED
    assert (len(unmanned.submits), len(other.submits)) == (0, 1)


async def test_a_song_whose_worker_has_gone_says_so(
    build: Callable[..., Awaitable[Harness]],
) -> None:
    provider = Unmanned()
    provider.is_manned = True
    provider.on_poll = [Running()] * 1000
    harness = await build(provider)
    job = await harness.split()
    await until_stage(harness, job.id, Stage.SEPARATING)
    provider.is_manned = False
    await until_stage(harness, job.id, Stage.NO_WORKER)


async def test_the_last_song_of_a_worker_that_drains_is_separated(
    build: Callable[..., Awaitable[Harness]],
) -> None:
    provider = Unmanned()
    provider.is_manned = True
    provider.on_poll = [Running(0.0)] * 1000
    harness = await build(provider)
    job = await harness.split()
    await until_stage(harness, job.id, Stage.SEPARATING)
    provider.is_manned = False
    polls = len(provider.on_poll)
    async with asyncio.timeout(10):
        while len(provider.on_poll) > polls - 5:
            await asyncio.sleep(0.01)
    progress = harness.board.get(job.id)
    assert progress is not None
    assert progress.stage is Stage.SEPARATING


async def test_a_song_whose_worker_has_gone_fails_at_the_deadline(
    build: Callable[..., Awaitable[Harness]],
) -> None:
    provider = Unmanned()
    provider.is_manned = True
    provider.on_poll = [Running()] * 1000
    harness = await build(provider, job_timeout_minutes=60)
    job = await harness.split()
    await until_stage(harness, job.id, Stage.SEPARATING)
    provider.is_manned = False
    harness.clock.move(minutes=61)
    failed = await harness.until(job.id, is_awake=True)
    assert failed.problem is not None
    assert (failed.state, failed.problem.reason) == (State.FAILED, Reason.TIMED_OUT)


async def until_stage(harness: Harness, job_id: JobId, stage: Stage) -> None:
    async with asyncio.timeout(30):
        while True:
            progress = harness.board.get(job_id)
            if progress is not None and progress.stage is stage:
                return
            await asyncio.sleep(0.005)
