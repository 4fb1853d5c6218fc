"""The runner logs what jobs wait for, but not on every try."""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from bot.domain.errors import NoRoom, StoreUnavailable
from bot.domain.job import JobId
from bot.jobs.job_runtime import Done, JobRuntime, Runtimes, StepResult
from bot.jobs.runner import Runner
from tests.support.fakes import FakeClock

JOB, OTHER = JobId("k7f2q"), JobId("m3x9t")
LOCKED = StoreUnavailable("database is locked")
READ_ONLY = StoreUnavailable("attempt to write a readonly database")


class FailingSteps:
    """Fails with each error in turn, a second apart, and then ends the job."""

    def __init__(self, clock: FakeClock, *errors: Exception) -> None:
        self._clock = clock
        self._errors = {job_id: iter(errors) for job_id in (JOB, OTHER)}
        self.steps = 0
        self.given_up: Iterator[Exception] = iter(())

    async def advance(self, runtime: JobRuntime) -> StepResult:
        self.steps += 1
        self._clock.move(seconds=1)
        for error in self._errors[runtime.job_id]:
            raise error
        return Done()

    async def give_up(self, runtime: JobRuntime) -> StepResult:
        for error in self.given_up:
            raise error
        return Done()


class CancelledOnce(FailingSteps):
    """The first step raises CancelledError, although the task is not cancelled."""

    async def advance(self, runtime: JobRuntime) -> StepResult:
        self.steps += 1
        if self.steps == 1:
            raise asyncio.CancelledError
        return Done()


class Endless(FailingSteps):
    """Steps that never end."""

    async def advance(self, runtime: JobRuntime) -> StepResult:
        self.steps += 1
        await asyncio.Event().wait()
        return Done()


@asynccontextmanager
async def running(steps: FailingSteps, clock: FakeClock, *job_ids: JobId) -> AsyncIterator[None]:
    """Run the jobs to their end, waking each as soon as it waits."""
    runtimes = Runtimes()
    runner = Runner(steps=steps, runtimes=runtimes, clock=clock)
    for job_id in job_ids:
        runner.run(job_id)
    async with asyncio.timeout(30):
        while runner.running:
            for job_id in job_ids:
                runner.wake(job_id)
            await asyncio.sleep(0)
    yield


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_store_that_is_away_is_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    steps = FailingSteps(clock, *[LOCKED] * 150)
    async with running(steps, clock, JOB):
        assert steps.steps == 151
    assert said(caplog) == [f"{JOB} waits for the store: database is locked"] * 3


async def test_every_job_and_every_cause_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    steps = FailingSteps(clock, LOCKED, READ_ONLY, LOCKED, READ_ONLY)
    async with running(steps, clock, JOB, OTHER):
        pass
    assert sorted(said(caplog)) == sorted(
        f"{job_id} waits for the store: {error}"
        for job_id in (JOB, OTHER)
        for error in (LOCKED, READ_ONLY)
    )


async def test_a_full_disk_is_one_cause_however_many_bytes_are_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    steps = FailingSteps(clock, *(NoRoom(f"{free} bytes are free") for free in range(20)))
    async with running(steps, clock, JOB):
        pass
    assert said(caplog) == [f"{JOB} waits for room: 0 bytes are free"]


async def test_a_job_that_cannot_be_given_up_is_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    steps = FailingSteps(clock, *[OSError(errno.EIO, "odd")] * 30)
    steps.given_up = iter([LOCKED] * 10)
    async with running(steps, clock, JOB):
        pass
    assert said(caplog).count(f"{JOB} could not be given up") == 1


async def test_a_job_whose_step_is_cancelled_by_a_library_continues() -> None:
    """aiohttp has raised CancelledError when a connection broke, and nothing had cancelled it."""
    clock = FakeClock()
    steps = CancelledOnce(clock)
    async with running(steps, clock, JOB):
        pass
    assert steps.steps == 2


async def test_an_interrupted_job_does_not_continue() -> None:
    steps, runtimes = Endless(FakeClock()), Runtimes()
    runner = Runner(steps=steps, runtimes=runtimes, clock=FakeClock())
    runner.run(JOB)
    await asyncio.sleep(0)
    await runtimes.interrupt(JOB)
    await asyncio.sleep(0)
    assert (steps.steps, runner.running) == (1, 0)


async def test_new_jobs_begin_once_every_request_is_answered() -> None:
    steps, runtimes = FailingSteps(FakeClock()), Runtimes()
    runner = Runner(steps=steps, runtimes=runtimes, clock=FakeClock())
    with runner.answering():
        with runner.answering():
            runner.run(JOB)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        assert steps.steps == 0
    while runner.running:
        await asyncio.sleep(0)
    assert steps.steps == 1


async def test_a_request_that_is_not_answered_holds_up_no_job_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.jobs.runner.MAX_GIVE_WAY_S", 0.01)
    steps, runtimes = FailingSteps(FakeClock()), Runtimes()
    runner = Runner(steps=steps, runtimes=runtimes, clock=FakeClock())
    with runner.answering():
        runner.run(JOB)
        async with asyncio.timeout(30):
            while runner.running:
                await asyncio.sleep(0)
    assert steps.steps == 1


async def test_a_stop_ends_jobs_that_have_not_begun() -> None:
    steps, runtimes = FailingSteps(FakeClock()), Runtimes()
    runner = Runner(steps=steps, runtimes=runtimes, clock=FakeClock())
    with runner.answering():
        runner.run(JOB)
        await asyncio.sleep(0)
        await runner.stop(grace_s=0.0)
    assert (runner.running, steps.steps) == (0, 0)
