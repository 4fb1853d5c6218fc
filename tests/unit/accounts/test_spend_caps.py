"""The owner's spend caps: jobs above them use the embedded engine or fail with the reason."""

import asyncio
from pathlib import Path

from bot.domain.errors import ProviderBusy, Reason
from bot.domain.job import Job, State, UserId
from bot.providers.interface import Failed, Running
from bot.scheduling.progress import Progress, Stage
from tests.support.fakes import FakeProvider
from tests.support.harness import Harness


def local() -> FakeProvider:
    return FakeProvider("local", is_hosted=False, is_resubmittable=True, concurrency=8)


async def at_once(harness: Harness, users: int, **changes: object) -> list[Job]:
    jobs = await asyncio.gather(
        *(harness.split(user_id=UserId(number), **changes) for number in range(1, users + 1))
    )
    return [await harness.until(job.id) for job in jobs]


async def test_jobs_beyond_the_days_cap_go_to_the_embedded_engine(tmp_path: Path) -> None:
    hosted = FakeProvider("hosted", concurrency=50)
    harness = await Harness.build(tmp_path, hosted, local(), daily_spend_minutes=11)
    done = await at_once(harness, 12)  # four minutes each
    assert {job.state for job in done} == {State.DELIVERED}
    assert sorted(job.provider or "" for job in done) == ["hosted"] * 2 + ["local"] * 10
    assert len(hosted.submits) == 2
    await harness.close()


async def test_without_an_engine_they_are_refused_with_the_reason(tmp_path: Path) -> None:
    hosted = FakeProvider("hosted", concurrency=50)
    harness = await Harness.build(tmp_path, hosted, daily_spend_minutes=11)
    done = await at_once(harness, 6)
    reasons = [job.problem.reason for job in done if job.problem]
    assert reasons == [Reason.SPEND_CAP] * 4
    assert (await harness.usage(UserId(1))).held == 0
    await harness.close()


async def test_a_chosen_provider_beyond_the_cap_is_not_replaced(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path, FakeProvider("hosted"), local(), daily_spend_minutes=3)
    [job] = await at_once(harness, 1, provider="hosted")
    assert job.problem is not None
    assert job.problem.reason is Reason.SPEND_CAP
    await harness.close()


async def test_failures_cost_the_owner_no_more_than_twice_a_users_allowance(
    tmp_path: Path,
) -> None:
    hosted = FakeProvider("hosted")
    hosted.on_poll = [Failed("broken")] * 9
    harness = await Harness.build(tmp_path, hosted, quota_minutes=4)
    for _ in range(2):
        failed = await harness.until((await harness.split()).id)
        assert failed.problem is not None
        assert failed.problem.reason is Reason.PROVIDERS_FAILED
    third = await harness.until((await harness.split()).id)
    assert third.problem is not None
    assert third.problem.reason is Reason.SPEND_CAP
    assert len(hosted.submits) == 2
    assert (await harness.usage()).left == 4
    await harness.close()


async def test_no_more_jobs_are_at_a_provider_than_it_declares(tmp_path: Path) -> None:
    hosted = FakeProvider("hosted", concurrency=2)
    hosted.on_poll = [Running()] * 10_000
    harness = await Harness.build(tmp_path, hosted)
    jobs = [await harness.split(user_id=UserId(number)) for number in range(1, 6)]
    async with asyncio.timeout(30):
        while harness.services.queue.counts()["hosted", "waiting"] < 3:
            await asyncio.sleep(0.005)
    assert len(hosted.submits) == 2
    async with asyncio.timeout(30):
        while places(harness, jobs) != [2, 3, 4]:
            await asyncio.sleep(0.005)
    hosted.on_poll.clear()
    for job in jobs:
        assert (await harness.until(job.id)).state is State.DELIVERED
    await harness.close()


async def test_who_waits_for_a_busy_provider_is_shown_a_place_in_line(tmp_path: Path) -> None:
    hosted = FakeProvider("hosted")
    hosted.on_submit = [ProviderBusy(retry_after_s=9)]
    harness = await Harness.build(tmp_path, hosted)
    first = await harness.split(user_id=UserId(1))
    await waits(harness, first, ahead=0)
    second = await harness.split(user_id=UserId(2))
    await waits(harness, second, ahead=1)
    assert len(hosted.submits) == 1
    await harness.close()


def places(harness: Harness, jobs: list[Job]) -> list[int]:
    """Return the queue positions shown on the jobs' cards, in order."""
    shown = [harness.board.get(job.id) for job in jobs]
    waiting = [each for each in shown if each is not None and each.stage is Stage.WAITING]
    return sorted(each.ahead or 0 for each in waiting)


async def waits(harness: Harness, job: Job, *, ahead: int) -> None:
    """Wait until the job is shown at that queue position."""
    place = Progress(stage=Stage.WAITING, ahead=ahead, eta_s=9.0, provider="Hosted")
    async with asyncio.timeout(30):
        while harness.board.get(job.id) != place:
            await asyncio.sleep(0.005)
