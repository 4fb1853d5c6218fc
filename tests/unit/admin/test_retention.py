"""Retention: deletion of expired data, and nothing else."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from storage.upkeep.invariants import Terms, audit
from tests.support.harness import ADA, Harness

FIGURES = ("frames", "minutes", "recipe", "state")


def broken_claims(harness: Harness) -> list[str]:
    terms = Terms(now=harness.clock.now(), keep=timedelta(hours=24))
    findings = audit(harness.root / "stemcord.db", harness.root / "jobs", terms)
    return [str(each) for each in findings if not each.is_good]


async def shown(harness: Harness) -> None:
    for stale in await harness.jobs.stale_replies(await harness.jobs.owed()):
        await harness.jobs.reply_shown(stale.job.id, stale.version, message_id=9)


async def test_old_jobs_are_emptied_and_their_figures_stay(harness: Harness) -> None:
    job = await harness.split()
    await harness.until(job.id)
    await shown(harness)
    await harness.services.retention.sweep()
    [before] = await harness.db.read(f"SELECT {', '.join(FIGURES)} FROM jobs")

    harness.clock.move(days=92)
    await harness.services.retention.sweep()  # the files expire first
    harness.clock.move(hours=1)
    await harness.services.retention.sweep()

    [row] = await harness.db.read("SELECT * FROM jobs")
    assert (row["user_id"], row["filename"], row["url"], row["title"]) == (-1, "", "", "")
    assert tuple(row[name] for name in FIGURES) == tuple(before)
    assert {each["note"] for each in await harness.db.read("SELECT note FROM events")} == {""}
    assert await harness.services.splits.jobs_of(ADA) == []
    assert broken_claims(harness) == []


async def test_younger_jobs_and_those_of_the_period_are_left_alone(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path, keep_jobs_days=0.01)
    job = await harness.split()
    await harness.until(job.id)
    await shown(harness)
    await harness.jobs.mark_expired(job.id)
    harness.clock.move(hours=2)
    await harness.services.retention.sweep()
    assert [each.id for each in await harness.services.splits.jobs_of(ADA)] == [job.id]
    harness.clock.move(days=1)
    await harness.services.retention.sweep()
    assert await harness.services.splits.jobs_of(ADA) == []
    await harness.close()


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """The folder of a job whose database was lost."""
    folder = tmp_path / "jobs" / "k7f2q"
    (folder / "masters").mkdir(parents=True)
    (folder / "masters" / "vocals.flac").write_bytes(b"flac")
    return folder


def aged(folder: Path, harness: Harness, age: timedelta) -> None:
    at = (harness.clock.now() - age).timestamp()
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (at, at))


async def test_folders_older_than_the_database_wait_for_their_time_and_are_named(
    tmp_path: Path, lost: Path, caplog: pytest.LogCaptureFixture
) -> None:
    harness = await Harness.build(tmp_path)
    retention = replace_made_at(harness)
    aged(lost, harness, timedelta(hours=2))
    await retention.sweep_orphans()
    await retention.sweep()
    assert lost.exists()
    assert "1 job folders are older than the database" in caplog.text
    assert "k7f2q" in caplog.text
    harness.clock.move(hours=23)
    await retention.sweep()
    assert not lost.exists()
    await harness.close()


async def test_folder_that_a_crash_left_is_deleted_at_once(tmp_path: Path, lost: Path) -> None:
    harness = await Harness.build(tmp_path)
    retention = replace_made_at(harness)
    aged(lost, harness, timedelta(hours=-1))
    await retention.sweep_orphans()
    assert not lost.exists()
    await harness.close()


def replace_made_at(harness: Harness):
    """Return the retention of a bot with a new database."""
    retention = harness.services.retention
    retention._database_made_at = harness.clock.now()
    return retention
