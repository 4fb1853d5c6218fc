"""Songs wait for disk space as compressed files, and waiting is not charged."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.accounts.disk_guard import LOOK_EVERY_S
from bot.accounts.user_limits import FREE_REFUSALS, REPEATS_AN_HOUR
from bot.domain.attempt import AttemptError
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, JobId, State
from bot.domain.recipes import Stem
from bot.providers.interface import Failed
from tests.support.fakes import FakeProvider
from tests.support.harness import ADA, BEN, Harness

ROOM_FOR_ONE_GIB = 0.25
SONG_S = 150.0
"""A song of this length may need 0.2 GiB of disk until it is separated."""


async def with_little_room(root: Path) -> Harness:
    return await Harness.build(root, max_disk_gib=ROOM_FOR_ONE_GIB, max_duration_minutes=4)


@pytest.fixture
async def little(tmp_path: Path) -> AsyncIterator[Harness]:
    """Services with room for one song at a time."""
    built = await with_little_room(tmp_path)
    yield built
    await built.close()


async def waiting(harness: Harness, job_id: JobId) -> None:
    async with asyncio.timeout(5):
        while harness.runtimes.open(job_id).waits_for_room_since is None:
            await asyncio.sleep(0.005)


async def crowded(harness: Harness) -> tuple[Job, Job]:
    """Let one song fill the disk during its submit, and another one wait."""
    harness.audio.duration_s = SONG_S
    harness.provider.gate = asyncio.Event()
    first = await harness.split()
    await harness.until(first.id, State.SUBMITTING)
    second = await harness.split(user_id=BEN)
    await waiting(harness, second.id)
    return first, second


async def test_a_song_without_room_waits_undecoded_until_there_is_some(little: Harness) -> None:
    harness = little
    first, second = await crowded(harness)
    assert (await harness.job(second.id)).state is State.RECEIVED
    where = harness.files.of(second.id)
    assert where.input.exists()
    assert not where.mixture.exists()
    assert harness.provider.gate is not None
    harness.provider.gate.set()
    assert (await harness.until(first.id)).state is State.DELIVERED
    async with asyncio.timeout(5):
        while harness.runtimes.get(first.id) is not None:
            await asyncio.sleep(0.005)
    harness.clock.move(seconds=LOOK_EVERY_S)
    assert (await harness.until(second.id, within_s=20, is_awake=True)).state is State.DELIVERED
    assert len(harness.downloads.urls) == 2


async def test_room_is_taken_back_from_the_rows_at_a_start(little: Harness, tmp_path: Path) -> None:
    first, _ = await crowded(little)
    promised = little.runtimes.open(first.id).promised_bytes
    again = await with_little_room(tmp_path)
    again.provider.gate = asyncio.Event()
    await again.resume()
    assert again.runtimes.open(first.id).promised_bytes == promised
    await again.close()


async def test_a_song_that_can_never_fit_fails_for_want_of_room(little: Harness) -> None:
    little.audio.decode_error = Rejected(Reason.TOO_LONG)
    failed = await little.until((await little.split()).id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.DISK_FULL


async def test_a_repeat_shares_masters_and_what_is_encoded_for_links(harness: Harness) -> None:
    harness.downloads.song = b"the very same"
    first = await harness.until((await harness.split()).id)
    linked = harness.files.of(first.id).linked / "vocals.wav"
    linked.write_bytes(b"encoded")
    used_bytes = await harness.files.used_bytes()
    again = await harness.until((await harness.split()).id)
    own = harness.files.of(again.id)
    assert own.master(Stem.VOCALS).samefile(harness.files.of(first.id).master(Stem.VOCALS))
    assert (own.linked / "vocals.wav").samefile(linked)
    assert await harness.files.used_bytes() <= used_bytes


async def test_repeats_beyond_the_limit_are_refused_in_words(harness: Harness) -> None:
    harness.downloads.song = b"the very same"
    for _ in range(1 + REPEATS_AN_HOUR):
        assert (await harness.until((await harness.split()).id)).state is State.DELIVERED
    refused = await harness.until((await harness.split()).id)
    assert refused.problem is not None
    assert refused.problem.reason is Reason.TOO_MANY_REPEATS


async def test_a_user_whose_files_are_refused_has_to_pause(harness: Harness) -> None:
    harness.audio.decode_error = Rejected(Reason.NOT_AUDIO)
    for _ in range(FREE_REFUSALS):
        await harness.until((await harness.split()).id)
    with pytest.raises(Rejected) as refused:
        await harness.receive(user_id=ADA)
    assert refused.value.problem.reason is Reason.UNREADABLE_FILES
    await harness.receive(user_id=BEN)


async def test_a_starved_engine_is_the_fault_of_the_bot(tmp_path: Path) -> None:
    local = FakeProvider("local", is_hosted=False, is_resubmittable=True)
    harness = await Harness.build(tmp_path, local)
    local.on_poll = [Failed("the engine was killed", is_starved=True)] * 3
    failed = await harness.until((await harness.split()).id, is_awake=True)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.MACHINE_TOO_SMALL
    attempts = await harness.jobs.attempts(failed.id)
    assert {each.error for each in attempts} == {AttemptError.STARVED}
    await harness.close()
