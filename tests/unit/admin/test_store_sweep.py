"""The object store and the disk are kept in step with the jobs."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.admin.store_sweep import StoreSweep
from bot.domain.errors import ObjectStoreUnavailable
from bot.domain.job import JobId, State
from storage.objects.object_store import MARKER
from storage.objects.shared_job_files import SharedJobFiles
from tests.support.harness import Harness
from tests.support.object_stores import LeavingStore, folder_store


@pytest.fixture
def share(tmp_path: Path) -> Path:
    return tmp_path / "share"


@pytest.fixture
async def harness(tmp_path: Path, share: Path) -> AsyncIterator[Harness]:
    harness = await Harness.build(tmp_path, objects=LeavingStore(folder_store(share)))
    yield harness
    await harness.close()


def sweep_of(harness: Harness) -> StoreSweep:
    sweep = harness.services.store_sweep
    assert sweep is not None
    return sweep


def shared(harness: Harness) -> SharedJobFiles:
    assert isinstance(harness.files, SharedJobFiles)
    return harness.files


async def test_objects_without_a_job_are_deleted_and_others_stay(harness: Harness, share: Path):
    job = await harness.until((await harness.split()).id)
    await harness.until_idle()
    (share / "jobs/orphan/masters").mkdir(parents=True)
    (share / "jobs/orphan/masters/vocals.flac").write_bytes(b"left by a crash")
    (share / "separations/orphan").mkdir(parents=True)
    (share / "separations/orphan/song.f32").write_bytes(b"not a job's")
    await sweep_of(harness).sweep()
    assert [path.name for path in (share / "jobs").iterdir()] == [job.id]
    assert (share / "separations/orphan/song.f32").exists()


async def test_copies_of_jobs_that_another_bot_deleted_are_dropped(harness: Harness):
    job = await harness.until((await harness.split()).id)
    await harness.until_idle()
    await harness.files.bring(job.id, job.stems)
    await harness.jobs.mark_expired(job.id)
    await sweep_of(harness).sweep()
    assert not harness.files.of(job.id).path.exists()


async def test_what_is_older_than_the_store_is_put_into_it(harness: Harness, share: Path):
    job = await harness.until((await harness.split()).id)
    await harness.until_idle()
    received = await harness.receive()
    await harness.files.prepare(received.id)
    held = await harness.receive()
    await harness.jobs.acknowledge(held.id, harness.clock.now(), message_id=70)
    await harness.advance(held.id)
    assert (await harness.job(held.id)).state is State.HELD
    shutil.rmtree(share / "jobs")

    await sweep_of(harness).sweep()

    stored = {str(path.relative_to(share / "jobs")) for path in share.rglob("jobs/*/**/*.*")}
    assert stored == {f"{job.id}/masters/vocals.flac", f"{job.id}/masters/instrumental.flac"}
    assert (share / f"jobs/{held.id}/input").is_file()
    assert not (share / f"jobs/{received.id}").exists()


async def test_the_mark_stays_young_and_is_not_made_anew(harness: Harness, share: Path):
    os.utime(share / MARKER, (1000, 1000))
    await sweep_of(harness).sweep()
    assert (share / MARKER).stat().st_mtime > 1000
    (share / MARKER).unlink()  # as if nothing were mounted there
    with pytest.raises(ObjectStoreUnavailable):
        await sweep_of(harness).sweep()
    assert not (share / MARKER).exists()


async def test_a_store_that_was_away_at_start_is_marked_later(tmp_path: Path, share: Path):
    store = LeavingStore(folder_store(share))
    files = SharedJobFiles(tmp_path / "jobs", store, owner="tests")
    harness = await Harness.build(tmp_path)
    sweep = StoreSweep(jobs=harness.jobs, files=files)
    store.is_away = True
    with pytest.raises(ObjectStoreUnavailable):
        await sweep.sweep()
    store.is_away = False
    await sweep.sweep()
    assert (share / MARKER).read_text() == "tests\n"
    await harness.close()


async def test_a_store_without_its_mark_loses_no_object(harness: Harness, share: Path):
    (share / "jobs/orphan").mkdir(parents=True)
    (share / "jobs/orphan/input").write_bytes(b"another's")
    (share / MARKER).write_text("theirs\n")
    with pytest.raises(Exception, match="belongs to another database"):
        await sweep_of(harness).sweep()
    assert (share / "jobs/orphan/input").exists()
    assert shared(harness).used_ids() == frozenset()
    assert JobId("orphan") in await shared(harness).stored_ids()


async def test_there_is_nothing_to_sweep_without_a_store(tmp_path: Path):
    harness = await Harness.build(tmp_path)
    assert harness.services.store_sweep is None
    await harness.close()
