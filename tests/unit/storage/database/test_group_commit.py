import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import StoreBroken, StoreUnavailable
from storage.database.connection import Database
from storage.database.protocols import Connection, ConstraintViolated
from tests.support.meta_rows import PUT, putting, rows


async def together(
    db: Database,
    *works: Callable[[Connection], Awaitable[None]],
    meanwhile: Callable[[], object] | None = None,
) -> list[BaseException | None]:
    """Write while another transaction is running, so that they are committed as one group."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def first(_: Connection) -> None:
        begun.set()
        await go_on.wait()

    writing = [asyncio.create_task(db.write(first))]
    await begun.wait()
    writing += [asyncio.create_task(db.write(work)) for work in works]
    await asyncio.sleep(0)
    if meanwhile is not None:
        meanwhile()
    go_on.set()
    return (await asyncio.gather(*writing, return_exceptions=True))[1:]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements run so far on connections opened from now on."""
    connect, found = sqlite3.connect, list[str]()

    def traced(*where: Any, **how: Any) -> sqlite3.Connection:
        opened: sqlite3.Connection = connect(*where, **how)
        opened.set_trace_callback(found.append)
        return opened

    monkeypatch.setattr(sqlite3, "connect", traced)
    return found


async def test_transactions_that_wait_together_are_committed_together(
    statements: list[str], db: Database
):
    statements.clear()
    await asyncio.gather(*(db.write(putting(f"{number}")) for number in range(40)))
    assert await rows(db) == 40
    assert 1 <= statements.count("COMMIT") <= 5


async def test_a_lone_transaction_costs_no_savepoint(statements: list[str], db: Database):
    statements.clear()
    await db.write(lambda conn: conn.execute(PUT, ("a", "")))
    assert [each for each in statements if not each.startswith("INSERT")] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]


async def test_an_error_undoes_its_own_transaction_and_no_other(db: Database):
    await db.write(putting("taken"))
    outcomes = await together(db, putting("a"), putting("b", "taken"), putting("c"))
    assert [type(each) for each in outcomes] == [type(None), ConstraintViolated, type(None)]
    kept = {row["key"] for row in await db.read("SELECT key FROM meta")}
    assert kept == {"taken", "a", "c"}


async def test_a_failed_commit_fails_every_transaction_of_its_group(db: Database):
    async def dangling(conn: Connection) -> None:
        await conn.execute("PRAGMA defer_foreign_keys = ON")
        await conn.execute("INSERT INTO events (job_id, to_state, at) VALUES ('none', '', 0)")

    outcomes = await together(db, putting("a"), dangling, putting("b"))
    assert [type(each) for each in outcomes] == [ConstraintViolated] * 3
    assert await rows(db) == 0
    await db.write(putting("c"))
    assert await rows(db) == 1


async def test_what_sqlite_undoes_by_itself_fails_the_whole_group(db: Database):
    async def full(conn: Connection) -> None:
        await conn.execute("ROLLBACK")  # as SQLite does on some disk errors
        raise sqlite3.OperationalError("disk I/O error")

    failed = sqlite3.OperationalError
    outcomes = await together(db, putting("a"), full, putting("b"))
    assert [type(each) for each in outcomes] == [failed] * 3
    assert await rows(db) == 0
    await db.write(putting("c"))
    assert await rows(db) == 1


async def test_on_a_full_disk_the_answers_agree_with_what_is_stored(db: Database):
    async def large(conn: Connection) -> None:
        [row] = await conn.execute_fetchall("PRAGMA page_count")
        await conn.execute(f"PRAGMA max_page_count = {row[0] + 4}")
        await conn.execute(PUT, ("large", "x" * 100_000))

    outcomes = await together(db, putting("a"), large, putting("b"))
    assert type(outcomes[1]) is StoreUnavailable
    assert {type(each) for each in outcomes} <= {type(None), StoreUnavailable}
    assert await rows(db) == outcomes.count(None)


async def test_a_group_for_a_deleted_database_is_refused_whole(db: Database, path: Path):
    outcomes = await together(db, putting("a"), putting("b"), meanwhile=path.unlink)
    assert [type(each) for each in outcomes] == [StoreBroken] * 2


async def test_a_scrub_waits_for_its_turn(db: Database):
    writing = [
        asyncio.create_task(db.write(putting(f"{number}", f"{number}b"))) for number in range(20)
    ]
    await asyncio.sleep(0)
    await db.scrub()
    await asyncio.gather(*writing)
    assert await rows(db) == 40


@pytest.mark.parametrize("seed", range(3))
async def test_no_answer_comes_before_its_commit(path: Path, seed: int):
    db = await Database.open(path, durable=False)
    with sqlite3.connect(path, isolation_level=None) as other:

        async def put(number: int) -> None:
            await db.write(putting(f"{seed} {number}"))
            found = other.execute("SELECT 1 FROM meta WHERE key = ?", (f"{seed} {number}",))
            assert found.fetchone()

        await asyncio.gather(*map(put, range(60)))
    other.close()
    await db.close()


async def test_transactions_that_come_while_the_database_is_closed_are_committed_or_refused(
    tmp_path: Path,
):
    for number in range(5):
        db = await Database.open(tmp_path / f"{number}.db", durable=False)
        before = await rows(db)
        closing = asyncio.create_task(db.close())
        outcomes = list[asyncio.Task[None]]()
        while not closing.done():
            outcomes.append(asyncio.create_task(db.write(putting(f"{len(outcomes)}"))))
            await asyncio.sleep(0.0003)
        refused = await asyncio.gather(*outcomes, return_exceptions=True)
        again = await Database.open(tmp_path / f"{number}.db", durable=False)
        assert await rows(again) == before + refused.count(None)
        await again.close()
        assert {type(each) for each in refused} <= {type(None), StoreUnavailable}
    with pytest.raises(StoreUnavailable):
        await db.write(putting("late"))


async def test_what_is_cancelled_while_it_waits_is_not_written_and_keeps_nobody_waiting(
    db: Database,
):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def first(_: Connection) -> None:
        begun.set()
        await go_on.wait()

    writing = asyncio.create_task(db.write(first))
    await begun.wait()
    earlier = asyncio.all_tasks()
    cancelled = [asyncio.create_task(db.write(putting(f"{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for each in asyncio.all_tasks() - earlier:  # as at the end of the process
        each.cancel()
    later = asyncio.create_task(db.write(putting("later")))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(writing, later)
    outcomes = await asyncio.gather(*cancelled, return_exceptions=True)
    assert {type(each) for each in outcomes} == {asyncio.CancelledError}
    assert [row["key"] for row in await db.read("SELECT key FROM meta")] == ["later"]
