"""The audit of files that are on this disk, in an object store, or nowhere."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.job import JobId
from storage.objects.shared_job_files import stored_paths
from storage.upkeep.invariants import Terms, audit
from tests.support.harness import Harness
from tests.support.object_stores import folder_store


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    harness = await Harness.build(tmp_path, objects=folder_store(tmp_path / "share"))
    yield harness
    await harness.close()


async def delivered(harness: Harness) -> JobId:
    job = await harness.until((await harness.split()).id)
    await harness.until_idle()
    return job.id


async def broken(harness: Harness) -> dict[str, tuple[str, ...]]:
    root, store = harness.root, folder_store(harness.root / "share")

    def look() -> dict[str, tuple[str, ...]]:
        terms = Terms(now=harness.clock.now(), keep=timedelta(hours=24))
        findings = audit(
            root / "stemcord.db",
            root / "jobs",
            terms,
            list_stored=lambda: asyncio.run(stored_paths(store)),
        )
        found = {each.claim: each.offenders for each in findings if each.invariant == 7}
        return {claim: offenders for claim, offenders in found.items() if offenders}

    return await asyncio.to_thread(look)


async def test_stems_in_the_store_alone_are_there(harness: Harness) -> None:
    job_id = await delivered(harness)
    assert await broken(harness) == {}
    shutil.rmtree(harness.root / "jobs" / job_id)
    assert await broken(harness) == {}


async def test_stems_that_are_nowhere_are_missing(harness: Harness) -> None:
    job_id, other = await delivered(harness), await delivered(harness)
    shutil.rmtree(harness.root / "jobs" / job_id)
    (harness.root / "share/jobs" / job_id / "masters/vocals.flac").unlink()
    shutil.rmtree(harness.root / "share/jobs" / other)
    assert await broken(harness) == {"finished jobs have their stems": (job_id,)}


async def test_objects_without_a_job_are_found(harness: Harness) -> None:
    await delivered(harness)
    orphan = harness.root / "share/jobs/orphan/masters"
    orphan.mkdir(parents=True)
    (orphan / "vocals.flac").write_bytes(b"left")
    assert await broken(harness) == {"no files without a job": ("orphan",)}
