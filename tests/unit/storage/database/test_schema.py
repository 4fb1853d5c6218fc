import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.attempt import AttemptError, AttemptState
from bot.domain.job import DeliveryDifference, Job, State
from bot.domain.renditions import UNCHANGED
from storage.database.connection import Database
from storage.database.opening import open_reader
from storage.database.schema import Migration, UnknownDatabase, migrations
from storage.stores import vendor_spending
from storage.stores.job_store import JobStore
from storage.stores.statistics import Statistics
from storage.upkeep.invariants import Terms, audit
from tests.support.domain_factories import NOW, a_job, an_attempt, lead

SCHEMA = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
NEXT = len(migrations()) + 1


async def opened(path: Path, steps: Sequence[Migration]) -> None:
    db = await Database.open(path, durable=False, steps=steps)
    await db.close()


def look(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute(sql).fetchall()


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """The schema of a new database."""
    path = tmp_path_factory.mktemp("newest") / "new.db"
    asyncio.run(opened(path, migrations()))
    return look(path, SCHEMA)


async def _fill(path: Path) -> list[Job]:
    db = await Database.open(path, durable=False)
    stored = [await lead(JobStore(db=db), state) for state in State]
    await db.close()
    return stored


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Job]]:
    """A new database with a job in every state, and the jobs."""
    path = tmp_path_factory.mktemp("filled") / "new.db"
    return path, asyncio.run(_fill(path))


def test_migrations_are_numbered_without_a_gap():
    assert [step.number for step in migrations()] == list(range(1, NEXT))


@pytest.mark.parametrize("version", range(NEXT))
async def test_every_version_comes_to_the_same_schema(
    tmp_path: Path, newest: list[tuple[object, ...]], version: int
):
    if version:
        await opened(tmp_path / "old.db", migrations()[:version])
    await opened(tmp_path / "old.db", migrations())
    assert look(tmp_path / "old.db", SCHEMA) == newest
    assert look(tmp_path / "old.db", "PRAGMA user_version") == [(NEXT - 1,)]


async def test_opening_again_keeps_schema_and_rows(db: Database, jobs: JobStore, path: Path):
    stored = await jobs.add(a_job(), max_active=1)
    before = look(path, SCHEMA)
    again = await Database.open(path, durable=False)
    assert await JobStore(db=again).get(stored.id) == stored
    assert look(path, SCHEMA) == before
    await again.close()


async def test_a_migration_keeps_the_rows_of_the_version_before(path: Path):
    await opened(path, migrations())
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("INSERT INTO meta (key, value) VALUES ('a', '1')")
    grow = Migration(number=NEXT, sql="ALTER TABLE meta ADD COLUMN note TEXT;")
    await opened(path, [*migrations(), grow])
    assert look(path, "SELECT key, value, note FROM meta") == [("a", "1", None)]


def common_rows_to(old: Path, new: Path) -> None:
    """Fill a database of an earlier version with the rows of a new one."""
    with closing(sqlite3.connect(old)) as conn, conn:
        conn.execute("ATTACH ? AS new", (str(new),))
        tables = conn.execute(
            "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for (table,) in tables:
            columns = ", ".join(
                name
                for (name,) in conn.execute(
                    "SELECT name FROM pragma_table_info(?, 'main')", (table,)
                )
            )
            conn.execute(
                f"INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}"
            )


@pytest.mark.parametrize("version", range(8, NEXT))
async def test_jobs_in_every_state_survive_an_upgrade(
    tmp_path: Path, filled: tuple[Path, list[Job]], version: int
):
    new, stored = filled
    await opened(tmp_path / "old.db", migrations()[:version])
    common_rows_to(tmp_path / "old.db", new)
    db = await Database.open(tmp_path / "old.db", durable=False)
    jobs = JobStore(db=db)
    found = [await jobs.get(job.id) for job in stored]
    assert [job and job.state for job in found] == list(State)
    assert [job and job.request.rendition for job in found] == [UNCHANGED] * len(State)
    assert {job.id for job in await jobs.unfinished()} == {
        job.id for job in stored if not job.state.is_final
    }
    await db.close()
    terms = Terms(now=NOW, keep=timedelta(hours=24), drained=False)
    (tmp_path / "jobs").mkdir()
    findings = audit(tmp_path / "old.db", tmp_path / "jobs", terms)
    about_rows = [
        "the database file is whole",
        "no reference leads nowhere",
        "this version can read every row",
    ]
    found_well = [each.claim for each in findings if each.is_good]
    assert [each for each in about_rows if each not in found_well] == []


@pytest.mark.parametrize(
    "newer", ["rendition = '{\"formants\":1}'", "rendition = '[]'", "analysis = '{\"key\":7}'"]
)
async def test_a_job_that_a_newer_version_wrote_is_left_alone(
    db: Database, jobs: JobStore, path: Path, newer: str
):
    other, theirs = [await lead(jobs, State.READY) for _ in range(2)]
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(f"UPDATE jobs SET {newer} WHERE id = ?", (theirs.id,))
    before = look(path, f"SELECT * FROM jobs WHERE id = '{theirs.id}'")
    assert [job.id for job in await jobs.unfinished()] == [other.id]
    assert look(path, f"SELECT * FROM jobs WHERE id = '{theirs.id}'") == before


async def test_the_ledger_that_knows_refunds_has_every_row_of_the_one_before(path: Path):
    await opened(path, migrations()[:4])
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.executemany(
            "INSERT INTO ledger VALUES (?, 1, '2026-11-20', ?, ?, ?, 4, ?, ?, ?, ?)",
            [
                (3, "hold", "u:available", "u:held", "job", None, 60, None),
                (5, "post", "u:held", "u:used", "job", 3, None, None),
                (8, "reset", "u:used", "u:available", None, None, None, 9),
            ],
        )
    before = look(path, "SELECT * FROM ledger")
    await opened(path, migrations())
    assert look(path, "SELECT * FROM ledger") == before
    assert look(path, "PRAGMA foreign_key_check") == []
    assert look(path, "SELECT \"table\" FROM pragma_foreign_key_list('ledger')") == [("ledger",)]


FORMER_WORDS = {
    "ProviderAuth": AttemptError.AUTH,
    "ProviderQuotaSpent": AttemptError.QUOTA_SPENT,
    "ProviderBusy": AttemptError.BUSY,
    "ProviderDown": AttemptError.DOWN,
    "ProviderProtocol": AttemptError.PROTOCOL,
    "ProviderRefused": AttemptError.REFUSED,
    "Refused": AttemptError.REFUSED,
    "SubmitUncertain": AttemptError.UNCERTAIN,
    "Failed": AttemptError.FAILED,
    "Lost": AttemptError.LOST,
    "TimedOut": AttemptError.TIMED_OUT,
    "Unfetched": AttemptError.RESULTS_NOT_FETCHED,
    "ResultsNotFetched": AttemptError.RESULTS_NOT_FETCHED,
    "ProviderRemoved": AttemptError.PROVIDER_REMOVED,
    "Interrupted": AttemptError.INTERRUPTED,
    "Stopped": AttemptError.STOPPED,
    "SomethingOfATestVersion": AttemptError.UNKNOWN,
    None: None,
}


async def test_names_of_exceptions_become_words_and_every_reader_knows_them(path: Path):
    db = await Database.open(path, durable=False)
    jobs = JobStore(db=db)
    job = await lead(jobs, State.PROCESSING)
    for number, _ in enumerate(FORMER_WORDS, start=1):
        await jobs.record(an_attempt(job, provider="old", number=number, state=AttemptState.FAILED))
    await db.close()
    with closing(sqlite3.connect(path)) as conn, conn:
        for number, word in enumerate(FORMER_WORDS, start=1):
            conn.execute(
                "UPDATE attempts SET error = ? WHERE provider = 'old' AND number = ?",
                (word, number),
            )
        conn.execute("UPDATE jobs SET sent = 'carrier_pigeon'")
        conn.executemany(
            "INSERT INTO events (job_id, from_state, to_state, at, note) VALUES (?, ?, ?, 1, ?)",
            [
                (job.id, "processing", "submitting", "TimedOut"),
                (job.id, "processing", "submitting", "Whatever"),
                (job.id, "ready", "kept", "TimedOut is only a text here"),
            ],
        )
        [words] = [step for step in migrations() if step.number == 6]
        conn.executescript(words.sql)

    db = await Database.open(path, durable=False)
    jobs = JobStore(db=db)
    old = [each for each in await jobs.attempts(job.id) if each.provider == "old"]
    counted = await Statistics(db=db).errors(NOW, 100)
    read = await jobs.get(job.id)
    notes = await db.read("SELECT note FROM events WHERE at = 1 ORDER BY id")
    await db.close()

    assert [each.error for each in old] == list(FORMER_WORDS.values())
    assert ("old", AttemptError.REFUSED, 2) in counted
    assert ("old", AttemptError.UNKNOWN, 1) in counted
    assert read is not None
    assert read.sent is DeliveryDifference.OTHER
    assert [row["note"] for row in notes] == [
        "timed_out",
        "unknown",
        "TimedOut is only a text here",
    ]
    with open_reader(path) as reader:
        # The latest attempt has no error.
        assert vendor_spending.latest_attempts(reader, NOW)["old"].error is None


async def test_a_migration_that_fails_leaves_the_version_before(path: Path):
    await opened(path, migrations())
    before = look(path, SCHEMA)
    broken = Migration(number=NEXT, sql="CREATE TABLE half (a); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        await opened(path, [*migrations(), broken])
    assert look(path, SCHEMA) == before
    assert look(path, "PRAGMA user_version") == [(NEXT - 1,)]


async def test_a_newer_database_is_refused_in_one_clear_line(path: Path):
    newer = Migration(number=NEXT, sql="CREATE TABLE later (a INTEGER);")
    await opened(path, [*migrations(), newer])
    with pytest.raises(UnknownDatabase, match=f"version {NEXT}.* only up to {NEXT - 1}") as refusal:
        await opened(path, migrations())
    assert "\n" not in str(refusal.value)


async def test_another_programs_database_is_refused_untouched(path: Path):
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("CREATE TABLE theirs (a)")
    before = await asyncio.to_thread(path.read_bytes)
    with pytest.raises(UnknownDatabase, match="another program"):
        await opened(path, migrations())
    assert await asyncio.to_thread(path.read_bytes) == before


async def test_a_file_that_is_no_database_is_refused(path: Path):
    await asyncio.to_thread(path.write_text, "a text that is long enough for a header" * 9)
    with pytest.raises(UnknownDatabase, match="not an SQLite database"):
        await opened(path, migrations())


@pytest.mark.parametrize("state", State)
async def test_sql_and_domain_agree_on_what_is_final(db: Database, jobs: JobStore, state: State):
    job = await lead(jobs, state)
    [row] = await db.read("SELECT is_final FROM jobs WHERE id = ?", (job.id,))
    assert row["is_final"] == state.is_final


@pytest.mark.parametrize("state", AttemptState)
async def test_sql_and_domain_agree_on_what_may_have_cost(
    db: Database, jobs: JobStore, state: AttemptState
):
    job = await lead(jobs, State.HELD)
    await jobs.record(an_attempt(job, state=state))
    [row] = await db.read("SELECT may_have_cost FROM attempts")
    assert row["may_have_cost"] == state.may_have_cost
