"""What a bot does after signals from other bots, or after it may have missed some."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.admin import outside_changes as module
from bot.domain.attempt import AttemptState
from bot.domain.errors import Problem, Reason, StoreUnavailable
from bot.domain.job import Job, JobId, State
from bot.domain.minutes import Void
from storage.database.connection import Database
from storage.database.protocols import Parameters
from storage.groups.signals import Signal, SignalKind
from tests.support.fakes import FakeProvider
from tests.support.harness import Harness


class Silent(FakeProvider):
    """Never answers a poll, so that its jobs' steps do not read the database."""

    asked = 0

    async def poll(self, ref: object) -> Any:
        self.asked += 1
        await asyncio.Event().wait()


class Failing(Database):
    """A database whose next reads fail as scripted."""

    errors: Sequence[Exception] = ()

    async def read(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        if self.errors:
            [error, *self.errors] = self.errors
            raise error
        return await super().read(sql, parameters)


@pytest.fixture
async def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
    monkeypatch.setattr(module, "backoff_s", lambda tries, *, key: 0.001)
    harness = await Harness.build(
        tmp_path, Silent(concurrency=9, can_cancel=True), database=Failing
    )
    harness.services.outside_changes.listening()
    yield harness
    await harness.services.outside_changes.stop()
    await harness.close()


async def cancelled_elsewhere(bot: Harness) -> Job:
    """Return a job that another bot has cancelled while its step waits for the provider."""
    provider: Any = bot.provider
    asked_before = provider.asked
    job = await bot.split()
    processing = await bot.until(job.id, State.PROCESSING)
    while provider.asked == asked_before:
        await asyncio.sleep(0.001)
    cancelled = processing.cancelled(bot.clock.now(), Problem(Reason.STOPPED_BY_USER))
    await bot.jobs.save(cancelled, expected=State.PROCESSING, ledger=Void(job.id))
    return cancelled


def fail(bot: Harness, *errors: Exception) -> None:
    """Let the next reads of the database fail."""
    assert isinstance(bot.db, Failing)
    bot.db.errors = errors


async def until_abandoned(bot: Harness, *job_ids: JobId) -> None:
    assert isinstance(bot.db, Failing)
    async with asyncio.timeout(5):
        while bot.db.errors:
            await asyncio.sleep(0.005)
        for job_id in job_ids:
            while (await bot.jobs.attempts(job_id))[0].state is not AttemptState.ABANDONED:
                await asyncio.sleep(0.005)


async def test_jobs_for_which_the_store_was_away_do_not_hold_up_others(bot: Harness):
    jobs = [await cancelled_elsewhere(bot) for _ in range(3)]
    fail(bot, *[StoreUnavailable("away")] * 2)
    bot.services.outside_changes.listening()
    await until_abandoned(bot, *(job.id for job in jobs))
    assert bot.provider.cancelled == ["fake-3", "fake-1", "fake-2"]


async def test_a_job_that_cannot_be_followed_does_not_hold_up_others(
    bot: Harness, caplog: pytest.LogCaptureFixture
):
    [first, second] = [await cancelled_elsewhere(bot) for _ in range(2)]
    fail(bot, RuntimeError("a bug"))
    bot.services.outside_changes.listening()
    await until_abandoned(bot, second.id)
    assert f"{first.id}: a change by another bot could not be followed" in caplog.text


async def test_a_signal_that_comes_while_the_store_is_away_is_not_lost(bot: Harness):
    job = await cancelled_elsewhere(bot)
    fail(bot, *[StoreUnavailable("away")] * 3)
    bot.services.outside_changes.hear(Signal(SignalKind.JOB, job.id))
    await until_abandoned(bot, job.id)
