"""Vendors failing in every way that their documentation or the network allows.

Each job is delivered by the next provider or fails with a sentence that says what to do. Nothing
that may have arrived is sent twice, and nothing undelivered is charged.
"""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from bot.domain.attempt import AttemptState
from bot.domain.errors import Reason
from bot.domain.job import Job, State
from bot.ui.texts import messages
from sandbox.vendors.audiocleaner import AudioCleaner
from sandbox.vendors.finevoice import FineVoice
from sandbox.vendors.modes import POINT, Mode, Point
from sandbox.vendors.soundverse import Soundverse
from sandbox.vendors.vendor import Vendor
from tests.integration.failover.hosted_harness import (
    BRIEF,
    NEXT,
    PATIENT,
    HostedHarness,
    open_hosted_harness,
)

VENDORS: tuple[type[Vendor], ...] = (AudioCleaner, FineVoice, Soundverse)
CASES = [(vendor.name, mode) for vendor in VENDORS for mode in Mode if mode in vendor.modes]
FAILING = [(name, mode) for name, mode in CASES if mode is not Mode.OK]

TAKEN_IN_STRIDE = {
    *((vendor.name, Mode.WRONG_CONTENT_TYPE) for vendor in VENDORS),  # the type is ignored
    ("audiocleaner", Mode.UNKNOWN_STATUS),  # unknown words count as running
    ("audiocleaner", Mode.EXPIRED_LINKS),  # polling again returns valid links
    ("finevoice", Mode.EXPIRED_LINKS),
}
"""Failures that the bot tolerates without changing provider."""
JOB_TIMEOUT_MINUTES = 0.1

slice_of_all = [
    ("audiocleaner", Mode.NO_CREDIT),
    ("audiocleaner", Mode.RESET_AFTER_SUBMIT),
    ("finevoice", Mode.EXPIRED_LINKS),
    ("soundverse", Mode.MODERATION),
]


def ids(case: object) -> str:
    return str(case)


async def sent_while_failing(hosted: HostedHarness, name: str, mode: Mode, jobs: int) -> list[Job]:
    hosted.vendor(name).behaviour.change(mode)
    sent = await hosted.send(jobs)
    return await hosted.ends(sent, within_s=240)


async def assert_nothing_twice(hosted: HostedHarness, name: str, jobs: list[Job]) -> None:
    """Compare the vendor's counts with the recorded attempts."""
    vendor = hosted.vendor(name)
    states = Counter(await hosted.attempts(jobs, name))
    not_sent = states[AttemptState.NOT_SENT]
    may_have_arrived = sum(states.values()) - not_sent
    assert vendor.accepted <= may_have_arrived <= len(jobs)
    # The vendor may not have read every request before the bot's timeout.
    assert vendor.submits <= sum(states.values())


async def check_with_next(hosted: HostedHarness, name: str, mode: Mode, jobs: int) -> None:
    done = await sent_while_failing(hosted, name, mode, jobs)
    assert {job.state for job in done} == {State.DELIVERED}
    providers = {job.provider for job in done}
    assert providers == ({name} if (name, mode) in TAKEN_IN_STRIDE else {NEXT[name]})
    await assert_nothing_twice(hosted, name, done)
    assert hosted.broken_promises() == []


async def check_alone(hosted: HostedHarness, name: str, mode: Mode, jobs: int) -> None:
    done = await sent_while_failing(hosted, name, mode, jobs)
    if (name, mode) in TAKEN_IN_STRIDE:
        assert {job.state for job in done} == {State.DELIVERED}
        return
    for job in done:
        assert job.state is State.FAILED
        assert job.problem is not None
        assert job.problem.reason in (Reason.PROVIDERS_FAILED, Reason.TIMED_OUT)
        assert "again" in messages.problem(job.problem)
        assert (await hosted.harness.usage(job.request.user_id)).left == 60
    await assert_nothing_twice(hosted, name, done)
    assert hosted.broken_promises() == []


@pytest.mark.parametrize(("name", "mode"), slice_of_all, ids=ids)
async def test_the_next_provider_takes_over(
    tmp_path: Path, song: Path, name: str, mode: Mode
) -> None:
    async with open_hosted_harness(tmp_path, song, BRIEF[name], PATIENT[NEXT[name]]) as hosted:
        await check_with_next(hosted, name, mode, 6)


async def test_without_a_next_provider_the_job_fails_with_advice(
    tmp_path: Path, song: Path
) -> None:
    async with open_hosted_harness(tmp_path, song, BRIEF["finevoice"]) as hosted:
        await check_alone(hosted, "finevoice", Mode.BAD_KEY, 6)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mode"), FAILING, ids=ids)
async def test_a_hundred_jobs_end_at_the_next_provider(
    tmp_path: Path, song: Path, name: str, mode: Mode
) -> None:
    minutes = JOB_TIMEOUT_MINUTES if mode is Mode.NEVER_FINISHES else 60
    async with open_hosted_harness(
        tmp_path, song, BRIEF[name], PATIENT[NEXT[name]], job_timeout_minutes=minutes
    ) as hosted:
        await check_with_next(hosted, name, mode, 100)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mode"), FAILING, ids=ids)
async def test_a_hundred_jobs_without_a_next_provider_fail_with_advice(
    tmp_path: Path, song: Path, name: str, mode: Mode
) -> None:
    # Jobs wait for a provider on cooldown until their deadline, which is short here.
    async with open_hosted_harness(
        tmp_path, song, BRIEF[name], job_timeout_minutes=JOB_TIMEOUT_MINUTES
    ) as hosted:
        waking = asyncio.create_task(keep_looking(hosted))
        try:
            await check_alone(hosted, name, mode, 100)
        finally:
            waking.cancel()


async def keep_looking(hosted: HostedHarness) -> None:
    """Wake every waiting job repeatedly, instead of waiting some seconds."""
    while True:
        for job in await hosted.harness.jobs.unfinished():
            hosted.harness.services.runner.wake(job.id)
        await asyncio.sleep(0.5)


def test_every_way_to_fail_is_among_these() -> None:
    assert {mode for _, mode in FAILING} == set(Mode) - {Mode.OK}
    assert all(POINT[mode] is not Point.NOWHERE for _, mode in FAILING)
