"""The owner's caps: who passes them goes to the embedded engine, or is told why not."""

import asyncio
from pathlib import Path

from bot.domain.errors import ProviderBusy, Reason
from bot.domain.job import Job, State, UserId
from bot.providers.interface import Failed, Running
from bot.scheduling.progress import Progress, Stage
from tests.support.fakes import FakeProvider
from tests.support.harness import House


def local() -> FakeProvider:
    return FakeProvider("local", is_hosted=False, is_resubmittable=True, concurrency=8)


async def at_once(house: House, users: int, **changes: object) -> list[Job]:
    jobs = await asyncio.gather(
        *(house.split(user_id=UserId(number), **changes) for number in range(1, users + 1))
    )
    return [await house.until(job.id) for job in jobs]


async def test_jobs_beyond_the_days_cap_go_to_the_embedded_engine(tmp_path: Path) -> None:
    hosted = FakeProvider("hosted", concurrency=50)
    house = await House.build(tmp_path, hosted, local(), daily_spend_minutes=11)
    done = await at_once(house, 12)  # four minutes each
    assert {job.state for job in done} == {State.DELIVERED}
    assert sorted(job.provider or "" for job in done) == ["hosted"] * 2 + ["local"] * 10
    assert len(hosted.submits) == 2
    await house.close()


async def test_without_an_engine_they_are_refused_with_the_reason(tmp_path: Path) -> None:
    hosted = FakeProvider("hosted", concurrency=50)
    house = await House.build(tmp_path, hosted, daily_spend_minutes=11)
    done = await at_once(house, 6)
    reasons = [job.problem.reason for job in done if job.problem]
    assert reasons == [Reason.SPEND_CAP] * 4
    assert (await house.usage(UserId(1))).held == 0
    await house.close()


async def test_a_chosen_provider_beyond_the_cap_is_not_replaced(tmp_path: Path) -> None:
    house = await House.build(tmp_path, FakeProvider("hosted"), local(), daily_spend_minutes=3)
    [job] = await at_once(house, 1, provider="hosted")
    assert job.problem is not None
    assert job.problem.reason is Reason.SPEND_CAP
    await house.close()


async def test_failures_cost_the_owner_no_more_than_twice_a_users_allowance(
    tmp_path: Path,
) -> None:
    hosted = FakeProvider("hosted")
    hosted.on_poll = [Failed("broken")] * 9
    house = await House.build(tmp_path, hosted, quota_minutes=4)
    for _ in range(2):
        failed = await house.until((await house.split()).id)
        assert failed.problem is not None
        assert failed.problem.reason is Reason.PROVIDERS_FAILED
    third = await house.until((await house.split()).id)
    assert third.problem is not None
    assert third.problem.reason is Reason.SPEND_CAP
    assert len(hosted.submits) == 2
    assert (await house.usage()).left == 4
    await house.close()


async def test_no_more_jobs_are_at_a_provider_than_it_declares(tmp_path: Path) -> None:
    hosted = FakeProvider("hosted", concurrency=2)
    hosted.on_poll = [Running()] * 10_000
    house = await House.build(tmp_path, hosted)
    jobs = [await house.split(user_id=UserId(number)) for number in range(1, 6)]
    async with asyncio.timeout(30):
        while house.services.line.counts()["hosted", "waiting"] < 3:
            await asyncio.sleep(0.005)
    assert len(hosted.submits) == 2
    async with asyncio.timeout(30):
        while places(house, jobs) != [2, 3, 4]:
            await asyncio.sleep(0.005)
    hosted.on_poll.clear()
    for job in jobs:
        assert (await house.until(job.id)).state is State.DELIVERED
    await house.close()


async def test_who_waits_for_a_busy_provider_is_shown_a_place_in_line(tmp_path: Path) -> None:
    hosted = FakeProvider("hosted")
    hosted.on_submit = [ProviderBusy(retry_after_s=9)]
    house = await House.build(tmp_path, hosted)
    first = await house.split(user_id=UserId(1))
    await waits(house, first, ahead=0)
    second = await house.split(user_id=UserId(2))
    await waits(house, second, ahead=1)
    assert len(hosted.submits) == 1
    await house.close()


def places(house: House, jobs: list[Job]) -> list[int]:
    """Return the places in line as the jobs' cards show them, in order."""
    shown = [house.board.get(job.id) for job in jobs]
    waiting = [each for each in shown if each is not None and each.stage is Stage.WAITING]
    return sorted(each.ahead or 0 for each in waiting)


async def waits(house: House, job: Job, *, ahead: int) -> None:
    """Wait until the job is shown in the line at that place."""
    place = Progress(stage=Stage.WAITING, ahead=ahead, eta_s=9.0, provider="Hosted")
    async with asyncio.timeout(30):
        while house.board.get(job.id) != place:
            await asyncio.sleep(0.005)
