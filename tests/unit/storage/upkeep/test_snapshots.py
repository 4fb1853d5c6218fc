"""Database copies are consistent under load, and a restore keeps the replaced database."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from bot.domain.job import State, UserId
from storage.database.connection import Database
from storage.database.read_only import read_only
from storage.database.schema import Migration, UnknownDatabase, migrations
from storage.stores.job_store import JobStore
from storage.stores.meta import LINK_KEY, Meta
from storage.upkeep.snapshots import (
    REPLACED_KEPT_FOR,
    SnapshotFailed,
    back_up,
    copy_before_migration,
    copy_for_this_version,
    drop_old_copies,
    restore,
    snapshot_name,
)
from tests.support.domain_factories import NOW, a_job, lead
from tests.support.unprivileged import NOBODY


def look(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute(sql).fetchall()


async def test_a_copy_made_under_writing_load_is_one_moment_of_it(
    db: Database, jobs: JobStore, path: Path, tmp_path: Path
):
    stop = asyncio.Event()

    users = map(UserId, count(1))

    async def write() -> None:
        while not stop.is_set():
            await lead(jobs, State.DELIVERED, job=a_job(user_id=next(users)), minutes=1)

    await lead(jobs, State.DELIVERED, minutes=1)
    writers = [asyncio.create_task(write()) for _ in range(3)]
    counts = []
    for number in range(5):
        copy = await asyncio.to_thread(back_up, path, tmp_path / f"copy{number}.db")
        counts.append(copy.jobs)
        while len(await db.read("SELECT id FROM jobs")) <= copy.jobs:
            await asyncio.sleep(0)
        torn = look(
            copy.path,
            "SELECT id FROM jobs WHERE state = 'delivered' AND NOT EXISTS "
            "(SELECT 1 FROM ledger WHERE job_id = jobs.id AND kind = 'post')",
        )
        assert torn == []
        assert look(copy.path, "PRAGMA integrity_check") == [("ok",)]
    stop.set()
    await asyncio.gather(*writers)
    assert counts == sorted(set(counts))  # each copy has more jobs than the last


async def test_a_copy_is_one_file_for_its_owner_alone(db: Database, path: Path, tmp_path: Path):
    folder = tmp_path / "copies"
    folder.mkdir()
    copy = await asyncio.to_thread(back_up, path, folder / snapshot_name(NOW))
    assert [each.name for each in folder.iterdir()] == ["stemcord-20261120T120000Z.db"]
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600
    assert (copy.size_bytes, copy.jobs) == (copy.path.stat().st_size, 0)
    with read_only(copy.path):
        assert len(list(folder.iterdir())) == 1  # reading the copy needs no other files


async def test_an_existing_file_is_not_overwritten(db: Database, path: Path, tmp_path: Path):
    diary = tmp_path / "diary.txt"
    diary.write_text("dear diary")
    for taken in (diary, path):
        with pytest.raises(SnapshotFailed, match="already exists"):
            back_up(path, taken)
    assert diary.read_text() == "dear diary"


async def test_restoring_where_nothing_stood_keeps_nothing(db: Database, path: Path):
    elsewhere = path.with_name("elsewhere.db")
    restored, kept = restore(path, elsewhere, NOW)
    assert (restored.path, kept) == (elsewhere, None)


def _text(path: Path) -> None:
    path.write_text("no database at all, but long enough for a header" * 9)


def _theirs(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("CREATE TABLE theirs (a)")


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(f"PRAGMA user_version = {len(migrations()) + 1}")


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _zeroed(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\0" * 4096)


@pytest.mark.parametrize("spoil", [_text, _theirs, _newer, _cut, _zeroed, Path.unlink])
async def test_what_cannot_be_used_is_refused_in_one_line_with_nothing_changed(
    path: Path, spoil: Callable[[Path], object]
):
    db = await Database.open(path, durable=False)
    copy = back_up(path, path.with_name("copy.db")).path
    await db.close()
    if spoil in {_text, _theirs}:
        copy.unlink()
    spoil(copy)
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    with pytest.raises((UnknownDatabase, SnapshotFailed)) as refusal:
        restore(copy, path, NOW)
    assert str(copy) in str(refusal.value) or "The copy could not" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert {each: each.read_bytes() for each in path.parent.iterdir()} == before


async def test_the_database_is_not_restored_from_itself(db: Database, path: Path):
    with pytest.raises(SnapshotFailed, match="is the database itself"):
        restore(path, path, NOW)


async def test_a_damaged_database_is_not_backed_up_as_if_it_were_whole(path: Path):
    db = await Database.open(path, durable=False)
    await db.close()
    _zeroed(path)
    with pytest.raises((UnknownDatabase, SnapshotFailed)):
        back_up(path, path.with_name("copy.db"))
    assert not path.with_name("copy.db").exists()


async def test_a_copy_of_an_older_version_is_brought_up_to_date_when_opened(path: Path):
    db = await Database.open(path, durable=False)
    job = await JobStore(db=db).add(a_job(), max_active=1)
    copy = back_up(path, path.with_name("copy.db"))
    await db.close()
    restore(copy.path, path, NOW)
    newer = Migration(
        number=len(migrations()) + 1, sql="ALTER TABLE jobs ADD COLUMN mood TEXT DEFAULT 'blue';"
    )
    again = await Database.open(path, durable=False, steps=[*migrations(), newer])
    assert [tuple(row) for row in await again.read("SELECT id, mood FROM jobs")] == [
        (job.id, "blue")
    ]
    await again.close()


async def test_a_copy_does_not_hold_the_key_of_links(db: Database, path: Path):
    await Meta(db=db).secret(LINK_KEY, 32)
    await Meta(db=db).put("other", "kept")
    copy = back_up(path, path.with_name("copy.db")).path
    assert look(copy, "SELECT key FROM meta") == [("other",)]
    [[key]] = look(path, f"SELECT value FROM meta WHERE key = '{LINK_KEY}'")
    assert str(key).encode() not in copy.read_bytes()


async def at_version(path: Path, version: int) -> None:
    db = await Database.open(path, durable=False, steps=migrations()[:version])
    await db.close()


async def test_database_is_copied_before_its_schema_changes_and_the_last_two_are_kept(
    path: Path, tmp_path: Path
):
    folder = tmp_path / "backups"
    newest = len(migrations())
    await at_version(path, newest - 1)

    made = [
        copy_before_migration(path, folder, NOW + timedelta(minutes=number)) for number in range(3)
    ]

    assert all(copy is not None and copy.path.parent == folder for copy in made)
    assert {each.name for each in folder.iterdir()} == {
        f"before-migration-from-{newest - 1:04d}-20261120T12{number:02d}00Z.db" for number in (1, 2)
    }
    assert [row[0] for row in look(made[-1].path, "PRAGMA user_version")] == [newest - 1]  # type: ignore[union-attr] # checked above
    assert copy_for_this_version(folder) == made[-1].path  # type: ignore[union-attr] # likewise


async def test_nothing_is_copied_where_nothing_changes(path: Path, tmp_path: Path):
    assert copy_before_migration(path, tmp_path / "backups", NOW) is None
    path.touch()
    assert copy_before_migration(path, tmp_path / "backups", NOW) is None
    await at_version(path, len(migrations()))
    assert copy_before_migration(path, tmp_path / "backups", NOW) is None
    assert not (tmp_path / "backups").exists()


def test_copy_that_only_a_newer_version_reads_is_not_offered(tmp_path: Path):
    (tmp_path / f"before-migration-from-{len(migrations()) + 1:04d}-20270101T000000Z.db").touch()
    assert copy_for_this_version(tmp_path) is None
    readable = tmp_path / "before-migration-from-0001-20261120T120000Z.db"
    readable.touch()
    assert copy_for_this_version(tmp_path) == readable


async def test_restored_database_keeps_owner_and_mode(db: Database, path: Path):
    copy = back_up(path, path.with_name("copy.db")).path
    await db.close()
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    before = path.stat()
    restore(copy, path, NOW)
    after = path.stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (
        before.st_uid,
        before.st_gid,
        0o640,
    )


async def test_what_restores_replaced_is_kept_twice_and_not_for_ever(path: Path):
    db = await Database.open(path, durable=False)
    copy = back_up(path, path.with_name("copy.db")).path
    await db.close()
    for days in range(4):
        restore(copy, path, NOW + timedelta(days=days))

    def replaced() -> list[str]:
        return sorted(each.name for each in path.parent.glob("*.before-restore-*"))

    assert replaced() == [f"stemcord.db.before-restore-202611{day}T120000Z" for day in (22, 23)]
    drop_old_copies(path, NOW + REPLACED_KEPT_FOR + timedelta(days=2, hours=1))
    assert replaced() == ["stemcord.db.before-restore-20261123T120000Z"]
    drop_old_copies(path, NOW + REPLACED_KEPT_FOR + timedelta(days=4))
    assert replaced() == []
