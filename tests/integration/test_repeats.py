"""Repeats of a user's own file are free, and nothing is shared between users."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.accounts.disk_guard import LOOK_EVERY_S
from bot.domain.errors import ProviderRefused, Reason, Rejected
from bot.domain.job import Job, JobId, Source, State
from bot.domain.recipes import AudioFormat, Recipe, Stem
from storage.upkeep.invariants import Terms, audit
from tests.support.fakes import FakeProvider
from tests.support.harness import BEN, Harness

RENAMED = Source(filename="Blue Hour.mp3", url="https://cdn.invalid/b.mp3", size_bytes=5_000_000)


@pytest.fixture
def same(harness: Harness) -> Harness:
    """A harness to which all users send the same file."""
    harness.downloads.song = b"the very same"
    return harness


async def split(harness: Harness, **changes: Any) -> Job:
    job = await harness.split(**changes)
    return await harness.until(job.id)


async def test_a_repeat_is_delivered_uncharged_and_keeps_the_books(
    same: Harness, tmp_path: Path
) -> None:
    same.audio.ends_early = True
    first = await split(same)
    again = await split(same, audio_format=AudioFormat.FLAC)
    assert again.state is State.DELIVERED
    assert (again.repeat_of, again.minutes, again.frames) == (first.id, None, first.frames)
    assert (first.ends_early, again.ends_early) == (True, True)
    assert (await same.usage()).used == first.minutes
    assert len(same.provider.submits) == 1
    terms = Terms(now=same.clock.now(), keep=timedelta(hours=24), drained=True)
    findings = audit(tmp_path / "stemcord.db", tmp_path / "jobs", terms)
    broken = {each.claim: each.offenders for each in findings if each.offenders}
    # Delivery is faked here, so replies are never written.
    assert set(broken) <= {"finished replies show how it ended", "no token is kept without need"}


async def test_the_same_bytes_under_a_new_name_come_under_that_name_uncharged(
    same: Harness,
) -> None:
    first = await split(same)
    used = (await same.usage()).used
    again = await split(same, source=RENAMED)
    assert (first.title, again.title) == ("Neon Rain", "Blue Hour")
    assert (again.repeat_of, (await same.usage()).used) == (first.id, used)
    _, delivery = same.delivery.shown[-1]
    assert [file.filename for file in delivery.files] == [
        "Blue Hour (Instrumental).mp3",
        "Blue Hour (Vocals).mp3",
    ]


async def test_files_for_links_are_shared_only_under_the_same_name(same: Harness) -> None:
    first = await split(same)
    (same.files.of(first.id).linked / "vocals.mp3").write_bytes(b"its tags say Neon Rain")
    again, renamed = await split(same), await split(same, source=RENAMED)
    assert (same.files.of(again.id).linked / "vocals.mp3").exists()
    assert not (same.files.of(renamed.id).linked / "vocals.mp3").exists()


async def test_a_title_from_tags_stays_whatever_the_file_is_called(same: Harness) -> None:
    same.audio.title = "Tagged"
    await split(same)
    again = await split(same, source=RENAMED)
    assert again.title == "Tagged"


async def test_a_repeat_outlives_the_job_that_it_repeats(same: Harness) -> None:
    first = await split(same)
    again = await split(same)
    await same.services.redelivery.discard(first)
    assert same.files.of(again.id).master(Stem.VOCALS).read_bytes() == b"flac"
    third = await split(same)
    assert (third.repeat_of, third.state) == (first.id, State.DELIVERED)


@pytest.mark.parametrize(
    "changes",
    [{"user_id": BEN}, {"recipe": Recipe.VOCALS}, {"provider": "fake"}],
    ids=["another user", "another recipe", "another provider"],
)
async def test_what_differs_is_no_repeat(same: Harness, changes: dict[str, Any]) -> None:
    await split(same)
    other = await split(same, **changes)
    assert other.repeat_of is None
    assert other.minutes == 4


async def test_stems_that_are_gone_are_made_anew(same: Harness) -> None:
    first = await split(same)
    await same.services.redelivery.discard(first)
    await same.services.redelivery.discard(await same.job(first.id))
    again = await split(same)
    assert again.repeat_of is None
    with pytest.raises(Rejected) as refusal:
        async with same.services.redelivery.packed(
            await same.job(first.id), name="x", limit_bytes=10**7
        ):
            pytest.fail("there is nothing to show")
    assert refusal.value.problem.reason is Reason.FILES_EXPIRED


async def test_stems_lost_on_the_disk_are_made_anew(same: Harness) -> None:
    first = await split(same)
    await same.files.remove(first.id)
    again = await split(same)
    assert again.repeat_of is None
    assert again.state is State.DELIVERED


async def test_one_stem_lost_on_the_disk_has_all_made_anew(same: Harness) -> None:
    first = await split(same)
    same.files.of(first.id).master(Stem.VOCALS).unlink()
    again = await split(same)
    assert again.repeat_of is None
    assert (again.state, again.minutes) == (State.DELIVERED, 4)


async def test_stems_that_are_being_deleted_are_said_to_be_gone(same: Harness) -> None:
    job = await split(same)
    await same.files.remove(job.id)  # as `discard` does before it is recorded
    with pytest.raises(Rejected) as refusal:
        async with same.services.redelivery.packed(job, name="x", limit_bytes=10**7):
            pytest.fail("there is nothing to show")
    assert refusal.value.problem.reason is Reason.FILES_EXPIRED


async def test_a_job_at_work_cannot_be_thrown_away(same: Harness) -> None:
    with pytest.raises(Rejected):
        await same.services.redelivery.discard(await same.receive())


async def test_a_showing_leaves_nothing_behind(harness: Harness) -> None:
    job = await split(harness)
    await harness.until_idle()
    folder = harness.files.of(job.id).parcel
    async with harness.services.redelivery.packed(job, name="1", limit_bytes=10**7) as parcel:
        assert all(file.path.is_relative_to(folder / "1") for file in parcel.files)
        assert all(file.path.exists() for file in parcel.files)
    assert not any(folder.iterdir())


async def test_a_showing_may_begin_while_the_first_delivery_is_cleared_away(
    harness: Harness,
) -> None:
    job = await split(harness)
    async with harness.services.redelivery.packed(job, name="1", limit_bytes=10**7) as parcel:
        await harness.until_idle()
        await harness.files.drop_parcel(job.id)  # as its delivery does once it is stored
        assert all(file.path.exists() for file in parcel.files)


async def test_a_showing_without_room_is_refused_and_leaves_the_room_to_others(
    tmp_path: Path,
) -> None:
    harness = await Harness.build(tmp_path, max_disk_gib=0.2, max_duration_minutes=1)
    harness.audio.duration_s = 45.0
    try:
        job = await split(harness)
        await harness.until_idle()
        packed, lossless = (
            harness.services.redelivery.packed,
            job.asked_as(audio_format=AudioFormat.WAV),
        )
        harness.clock.move(seconds=LOOK_EVERY_S)
        harness.runtimes.open(JobId("other")).promised_bytes = 190 * 1024**2
        with pytest.raises(Rejected) as refusal:
            async with packed(lossless, name="1", limit_bytes=10**7):
                pytest.fail("there is no room")
        assert refusal.value.problem.reason is Reason.DISK_FULL
        large = replace(RENAMED, size_bytes=10**7)
        async with packed(job, name="2", limit_bytes=10**7):
            with pytest.raises(Rejected) as refusal:
                await harness.receive(source=large)
        assert refusal.value.problem.reason is Reason.DISK_FULL
        harness.clock.move(seconds=LOOK_EVERY_S)
        await harness.receive(source=large)
    finally:
        await harness.close()


async def test_whoever_takes_over_is_known_to_take_over(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_submit.append(ProviderRefused("not this one"))
    second.gate = asyncio.Event()
    harness = await Harness.build(tmp_path, first, second)
    try:
        job = await harness.split()
        async with asyncio.timeout(30):
            while not second.submits:
                await asyncio.sleep(0.005)
        progress = harness.board.get(job.id)
        second.gate.set()
        await harness.until(job.id)
    finally:
        await harness.close()
    assert progress is not None
    assert (progress.provider, progress.former) == ("Second", "First")
