"""Copies of SQLite files on full disks and after crashes."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.job import State
from storage.database.connection import Database
from storage.stores.job_store import JobStore
from storage.upkeep.snapshots import back_up, restore
from tests.support.domain_factories import NOW, lead

# A process that dies while its last transaction is only in the write-ahead log.
CRASH = """
import os, sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute("PRAGMA wal_autocheckpoint = 0")
conn.execute("INSERT INTO meta (key, value) VALUES ('late', 'kept')")
os._exit(0)
"""
ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from storage.upkeep.snapshots import SnapshotFailed, back_up
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    back_up(Path(sys.argv[1]), Path(sys.argv[2]))
except SnapshotFailed as exc:
    print(exc)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stemcord.db"


def in_a_process(code: str, *arguments: Path) -> str:
    """Run the code in a separate Python process and return its output."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.check_output(command, text=True)


def look(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute(sql).fetchall()


async def test_a_full_disk_leaves_no_half_copy(path: Path, tmp_path: Path):
    await (await Database.open(path, durable=False)).close()
    folder = tmp_path / "copies"
    folder.mkdir()
    said = in_a_process(ON_A_FULL_DISK, path, folder / "copy.db")
    assert said.startswith("The copy could not be made: disk")
    assert said.count("\n") == 1
    assert list(folder.iterdir()) == []


async def test_restoring_brings_back_the_jobs_of_then_and_keeps_those_of_now(path: Path):
    db = await Database.open(path, durable=False)
    then = await lead(JobStore(db=db), State.PROCESSING)
    copy = back_up(path, path.with_name("copy.db"))
    now = await lead(JobStore(db=db), State.HELD)
    await db.close()
    in_a_process(CRASH, path)
    assert path.with_name("stemcord.db-wal").stat().st_size

    restored, kept = restore(copy.path, path, NOW)

    assert restored.jobs == 1
    assert look(path, "SELECT id, state FROM jobs") == [(then.id, "processing")]
    assert kept == path.with_name("stemcord.db.before-restore-20261120T120000Z")
    assert look(kept, "SELECT id FROM jobs ORDER BY rowid") == [(then.id,), (now.id,)]
    assert look(kept, "SELECT value FROM meta WHERE key = 'late'") == [("kept",)]


async def test_no_log_of_the_old_database_is_left_beside_the_new(path: Path):
    db = await Database.open(path, durable=False)
    copy = back_up(path, path.with_name("copy.db"))
    await db.close()
    in_a_process(CRASH, path)
    restore(copy.path, path, NOW)
    assert [end for end in ("-wal", "-shm") if path.with_name(f"{path.name}{end}").exists()] == []
    assert look(path, "SELECT * FROM meta") == []
