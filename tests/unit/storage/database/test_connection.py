import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import StoreBroken, StoreUnavailable
from storage.database.connection import Database
from storage.database.protocols import Connection
from tests.support.meta_rows import PUT, putting, rows


def left_by_a_kill(path: Path, into: Path) -> Path:
    """Copy the files on disk while the database is open."""
    into.mkdir()
    for file in path.parent.glob("stemcord.db*"):
        (into / file.name).write_bytes(file.read_bytes())
    return into / path.name


async def test_a_locked_database_is_unavailable_and_heals(db: Database, path: Path):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await db.write(putting("a"))
        assert await rows(db) == 0  # reads still work
        other.execute("ROLLBACK")
    await db.write(putting("a"))
    assert await rows(db) == 1


async def test_a_full_disk_is_unavailable_and_undoes_the_transaction(db: Database):
    async def work(conn: Connection) -> None:
        [row] = await conn.execute_fetchall("PRAGMA page_count")
        await conn.execute(f"PRAGMA max_page_count = {row[0] + 4}")
        await conn.execute(PUT, ("small", ""))
        await conn.execute(PUT, ("large", "x" * 100_000))

    with pytest.raises(StoreUnavailable):
        await db.write(work)
    assert await rows(db) == 0
    await db.write(putting("small"))
    assert await rows(db) == 1


async def test_a_mistake_in_a_statement_is_not_taken_for_a_passing_trouble(db: Database):
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await db.write(lambda conn: conn.execute("DELETE FROM nowhere"))


async def test_money_waits_for_the_disk(path: Path):
    async def work(conn: Connection) -> tuple[int, str]:
        [synchronous] = await conn.execute_fetchall("PRAGMA synchronous")
        [journal] = await conn.execute_fetchall("PRAGMA journal_mode")
        return synchronous[0], journal[0]

    db = await Database.open(path)
    assert await db.write(work) == (2, "wal")  # 2 is FULL
    await db.close()


async def test_what_was_committed_is_there_after_a_crash(db: Database, path: Path, tmp_path: Path):
    await db.write(putting("a"))
    copied = left_by_a_kill(path, tmp_path / "copy")
    survivor = await Database.open(copied, durable=False)
    assert await rows(survivor) == 1
    await survivor.close()


async def test_database_that_was_deleted_takes_nothing_more(db: Database, path: Path):
    await db.write(putting("a"))
    was_in_place = db.is_in_place()
    path.unlink()
    assert (was_in_place, db.is_in_place()) == (True, False)
    with pytest.raises(StoreBroken, match=f"{path} is no longer the file that was opened"):
        await db.write(putting("b"))


async def test_database_that_was_replaced_takes_nothing_more(db: Database, path: Path):
    other = path.with_name("other.db")
    other.write_bytes(path.read_bytes())
    other.replace(path)
    with pytest.raises(StoreBroken):
        await db.probe()


async def test_scrub_needs_no_room_outside_the_data_directory(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    connect, opened = sqlite3.connect, list[sqlite3.Connection]()

    def remembered(*where: Any, **how: Any) -> sqlite3.Connection:
        opened.append(connect(*where, **how))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", remembered)
    db = await Database.open(path, durable=False)
    seen: set[str] = set()

    def look() -> int:
        descriptors = Path("/proc/self/fd")
        for name in descriptors.iterdir():
            with suppress(OSError):
                seen.add(str(name.readlink()))
        return 0

    large = [(str(number), "x" * 100_000) for number in range(40)]
    await db.write(lambda conn: conn.executemany(PUT, large))
    opened[0].set_progress_handler(look, 50)
    await db.scrub()
    await db.close()
    temporary = [name for name in seen if "etilqs" in name]
    assert temporary
    assert all(name.startswith(str(path.parent)) for name in temporary)
