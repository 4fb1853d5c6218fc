"""A job's in-memory state is one object, dropped with the job."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.delivery.port import ReplyUnavailable
from bot.domain.attempt import RemoteFile
from bot.domain.errors import ProviderAuth, ProviderDown
from bot.domain.job import Job, State, UserId
from bot.jobs.job_runtime import Runtimes
from bot.net.downloads import DownloadFailed
from bot.providers.interface import Running
from storage.stores.job_store import new_job_id
from tests.support.fakes import FakeProvider
from tests.support.harness import ADA, BEN, Harness
from tests.support.memory import mentions

Situation = Callable[[Harness], Awaitable[Job]]


async def happened(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.005)


async def write_replies(harness: Harness) -> None:
    while True:
        for job_id, version in (await harness.jobs.owed()).items():
            await harness.jobs.reply_shown(job_id, version)
        await asyncio.sleep(0.01)


async def downloading(harness: Harness) -> Job:
    harness.downloads.gate = asyncio.Event()
    job = await harness.split()
    await happened(lambda: harness.downloads.active == 1)
    return job


async def pausing_after_a_failed_download(harness: Harness) -> Job:
    harness.downloads.errors = [DownloadFailed("reset")] * 3
    job = await harness.split()
    await happened(lambda: len(harness.downloads.errors) == 2)
    return job


async def waiting_in_a_queue(harness: Harness) -> Job:
    harness.provider.on_poll = [Running()] * 10_000
    for number in range(harness.provider.capabilities.concurrency):
        other = await harness.split(user_id=UserId(BEN + number))
        await harness.until(other.id, State.PROCESSING)
    job = await harness.split()
    await happened(lambda: harness.services.queue.counts()["fake", "waiting"] == 1)
    return job


async def pausing_after_an_outage(harness: Harness) -> Job:
    harness.provider.on_submit = [ProviderDown()] * 3
    job = await harness.split()
    await happened(lambda: len(harness.provider.on_submit) == 2)
    return await harness.until(job.id, State.SUBMITTING)


async def being_submitted(harness: Harness) -> Job:
    harness.provider.gate = asyncio.Event()
    job = await harness.split()
    await happened(lambda: bool(harness.provider.submits))
    return job


async def separating(harness: Harness) -> Job:
    harness.provider.on_poll = [Running(0.5)] * 10_000
    return await harness.until((await harness.split()).id, State.PROCESSING)


async def polled_without_an_answer(harness: Harness) -> Job:
    harness.provider.on_poll = [ProviderAuth()] * 3
    job = await harness.split()
    await happened(lambda: len(harness.provider.on_poll) < 3)
    return job


async def pausing_after_a_failed_fetch(harness: Harness) -> Job:
    lost: list[RemoteFile] = []

    class Lossy(FakeProvider):
        async def fetch(self, file: RemoteFile, into: Path) -> None:
            lost.append(file)
            raise ProviderDown

    await harness.close()
    restarted = await Harness.build(harness.root, Lossy())
    harness.__dict__.update(restarted.__dict__)
    job = await harness.split()
    await happened(lambda: len(lost) > 2)
    return job


@pytest.mark.parametrize(
    "situation",
    [
        downloading,
        pausing_after_a_failed_download,
        waiting_in_a_queue,
        pausing_after_an_outage,
        being_submitted,
        separating,
        polled_without_an_answer,
        pausing_after_a_failed_fetch,
    ],
)
async def test_nothing_of_a_cancelled_job_is_left_in_memory(
    harness: Harness, situation: Situation
) -> None:
    job = await situation(harness)
    assert mentions(harness.services, job.id)
    await harness.services.splits.cancel(job.id, user_id=ADA)
    assert (await harness.job(job.id)).state is State.CANCELLED
    if harness.provider.gate is not None:
        harness.provider.gate.set()
    await happened(lambda: harness.runtimes.get(job.id) is None)
    harness.provider.on_poll = []  # the provider ends the work as well
    await harness.services.reconciler.free_places()
    assert mentions(harness.services, job.id) == []


async def test_nothing_of_a_finished_job_is_left_in_memory(harness: Harness) -> None:
    harness.delivery.answers = [ReplyUnavailable("down")]
    job = await harness.split()
    await happened(lambda: bool(harness.delivery.shown))
    await harness.until(job.id, is_awake=True)
    await happened(lambda: not harness.services.runner.running)
    assert mentions(harness.services, job.id) == []


async def test_nothing_of_a_forgotten_user_is_left_in_memory(harness: Harness) -> None:
    harness.delivery.answers = [ReplyUnavailable("down")] * 100
    job = await harness.until((await harness.split()).id, State.READY)
    await happened(lambda: bool(harness.delivery.shown))
    writing = asyncio.create_task(write_replies(harness))
    await harness.services.privacy.forget(ADA)
    writing.cancel()
    assert mentions(harness.services, job.id) == []


async def test_a_submit_in_flight_keeps_the_runtime_of_its_job(harness: Harness) -> None:
    job = await being_submitted(harness)
    await harness.services.splits.cancel(job.id, user_id=ADA)
    assert harness.runtimes.is_sending(job.id)
    assert harness.provider.gate is not None
    harness.provider.gate.set()
    await happened(lambda: not harness.runtimes.is_sending(job.id))
    assert len(harness.runtimes) == 0


def test_a_job_has_one_runtime() -> None:
    runtimes = Runtimes()
    assert runtimes.open(job_id := new_job_id()) is runtimes.open(job_id)


def test_everyone_who_asked_learns_of_a_dropped_runtime() -> None:
    runtimes, told = Runtimes(), []
    runtimes.on_release(lambda runtime: told.append(("first", runtime.job_id)))
    runtimes.on_release(lambda runtime: told.append(("second", runtime.job_id)))
    job_id = new_job_id()
    runtimes.release(runtimes.open(job_id))
    assert told == [("first", job_id), ("second", job_id)]
