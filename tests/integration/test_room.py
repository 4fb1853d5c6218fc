"""Songs wait for room on the disk with their compressed file alone; nothing of it is charged."""

import asyncio
from pathlib import Path

import pytest

from bot.accounts.user_limits import FREE_REFUSALS, REPEATS_AN_HOUR
from bot.domain.attempt import AttemptError
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, JobId, State
from bot.domain.recipes import Stem
from bot.providers.interface import Failed
from tests.support.fakes import FakeProvider
from tests.support.harness import ADA, BEN, Harness

ROOM_FOR_ONE_GIB = 0.2
"""A song of 200 s may need 0.27 GB while it is decoded and separated."""


async def with_little_room(root: Path) -> Harness:
    return await Harness.build(root, max_disk_gib=ROOM_FOR_ONE_GIB, max_duration_minutes=3.5)


async def waiting(harness: Harness, job_id: JobId) -> None:
    async with asyncio.timeout(5):
        while harness.runtimes.open(job_id).waits_for_room_since is None:
            await asyncio.sleep(0.005)


async def crowded(harness: Harness) -> tuple[Job, Job]:
    """Have one song take the room while it is submitted, and another one wait."""
    harness.audio.duration_s = 150
    harness.provider.gate = asyncio.Event()
    first = await harness.split()
    await harness.until(first.id, State.SUBMITTING)
    second = await harness.split(user_id=BEN)
    await waiting(harness, second.id)
    return first, second


async def test_a_song_without_room_waits_undecoded_until_there_is_some(tmp_path: Path) -> None:
    harness = await with_little_room(tmp_path)
    first, second = await crowded(harness)
    assert (await harness.job(second.id)).state is State.RECEIVED
    where = harness.files.of(second.id)
    assert where.input.exists()
    assert not where.mixture.exists()
    assert harness.provider.gate is not None
    harness.provider.gate.set()
    for job in (first, second):
        assert (await harness.until(job.id, is_awake=True)).state is State.DELIVERED
    assert len(harness.downloads.urls) == 2
    await harness.close()


async def test_room_is_taken_back_from_the_rows_at_a_start(tmp_path: Path) -> None:
    harness = await with_little_room(tmp_path)
    first, _ = await crowded(harness)
    promised = harness.runtimes.open(first.id).promised_bytes
    await harness.close()
    again = await with_little_room(tmp_path)
    again.provider.gate = asyncio.Event()
    resuming = asyncio.create_task(again.services.splits.resume())
    await resuming
    assert again.runtimes.open(first.id).promised_bytes == promised
    await again.close()


async def test_a_song_that_can_never_fit_fails_for_want_of_room(tmp_path: Path) -> None:
    harness = await with_little_room(tmp_path)
    harness.audio.decode_error = Rejected(Reason.TOO_LONG)
    failed = await harness.until((await harness.split()).id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.DISK_FULL
    await harness.close()


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
    assert await harness.files.used_bytes() == used_bytes


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
