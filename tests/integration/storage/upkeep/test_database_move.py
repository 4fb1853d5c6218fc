"""A move to PostgreSQL copies every row of every table, or nothing."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.domain.errors import StoreUnavailable
from bot.domain.job import State
from storage.database.opening import PostgresUrl, open_database
from storage.database.protocols import Database
from storage.database.schema import UnknownDatabase
from storage.stores.job_store import JobStore
from storage.upkeep.database_move import move_database
from storage.upkeep.snapshots import SnapshotFailed
from tests.support.domain_factories import a_job, lead
from tests.unit.storage.upkeep.evidence import Evidence, collect

OURS = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
FILLED = (
    "INSERT INTO role_allowances VALUES (7, 8, 30, 99, 1)",
    "INSERT INTO limits VALUES (7, 'role', 8, 30, 99, 1)",
    "INSERT INTO blocks VALUES (5, 0, 99, 1)",
    "INSERT INTO servers VALUES (7, '[1]', NULL, NULL, NULL, 1, 99, 1)",
    "INSERT INTO allowances VALUES (5, 30, 99, 1)",
    """
    INSERT INTO open_replies
    VALUES (77, 'delivered', 5, '{}', 'mp3', 'song', 1, 't', 9000000000, 'en-US', 7)
    """,
    "INSERT INTO last_renditions VALUES (-5, 6, '{}', 1)",
    "INSERT INTO meta VALUES ('of a user', 'a' || char(0) || 'b')",
    """
    INSERT INTO separations
    SELECT id, 1, 'spleeter', '[]', 9, 0, 'done', 1, 'w', 1000, 1, 1, 1, '{}', NULL, '[]'
    FROM jobs LIMIT 1
    """,
    "INSERT INTO shard_groups VALUES (1, 0, 0, 3)",
    "INSERT INTO vendor_places VALUES ('attic', 'delivered', 7, 1)",
    "INSERT INTO vendor_waits VALUES ('attic', '0/1', 1000, 1)",
    "INSERT INTO workers VALUES ('w', 'attic', '1', '[]', 1, 'cpu', 1, 'paused', 2)",
    "INSERT INTO audio_tasks VALUES ('0', '1', '{}', 'done', 'w', '{}', 1, 1)",
)
"""Rows of the tables in which `collect` leaves none."""


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """An installation with a job in every state, and rows in every table."""
    evidence = asyncio.run(collect(tmp_path_factory.mktemp("installation")))
    with closing(sqlite3.connect(evidence.database, isolation_level=None)) as conn:
        for statement in FILLED:
            conn.execute(statement)
    return evidence


@pytest.fixture
def blank(postgres_server: Any) -> Iterator[str]:
    with postgres_server.blank() as url:
        yield url


def content(conn: sqlite3.Connection | psycopg.Connection[Any], table: str) -> list[Any]:
    """Return all rows, with the numbers that PostgreSQL's identity columns continue."""
    is_sqlite = isinstance(conn, sqlite3.Connection)
    pragma = f"SELECT name FROM pragma_table_xinfo('{table}')"
    schema = (
        "SELECT column_name FROM information_schema.columns "
        f"WHERE table_name = '{table}' ORDER BY ordinal_position"
    )
    names = [name for (name,) in conn.execute(pragma if is_sqlite else schema)]
    if is_sqlite and table in ("jobs", "attempts", "batches"):
        names.insert(0, "rowid")
    rows = conn.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()
    plain = [dict(zip(names, row, strict=True)) for row in rows]
    return sorted(plain, key=repr) if is_sqlite else sorted(map(_as_sqlite, plain), key=repr)


def _as_sqlite(row: dict[str, Any]) -> dict[str, Any]:
    return {name: int(value) if isinstance(value, bool) else value for name, value in row.items()}


async def test_every_row_of_every_table_arrives_and_the_audit_is_clean(
    collected: Evidence, blank: str
):
    moved = await move_database(collected.database, blank)

    with closing(sqlite3.connect(collected.database)) as ours, psycopg.connect(blank) as theirs:
        tables = [name for (name,) in ours.execute(OURS)]
        for table in tables:
            rows = content(ours, table)
            assert rows, f"{table} has no row to move; add one to FILLED"
            if table == "meta":
                rows = [
                    {**row, "value": row["value"].replace("\0", "")} for row in rows
                ]  # PostgreSQL's texts have no zero byte
                rows.sort(key=repr)
            assert content(theirs, table) == rows, table
        counted = sum(len(content(ours, table)) for table in tables)
    assert (moved.tables, moved.rows) == (len(tables), counted)
    assert Evidence(collected.root, PostgresUrl(blank)).broken() == {}


async def test_new_rows_are_numbered_after_the_moved_ones(collected: Evidence, blank: str):
    await move_database(collected.database, blank)
    db = await open_database(PostgresUrl(blank))
    try:
        highest = await numbers(db)
        await lead(JobStore(db=db), State.DELIVERED, job=a_job(interaction_id=2**40))
        assert all(new > old for new, old in zip(await numbers(db), highest, strict=True))
    finally:
        await db.close()


async def numbers(db: Database) -> tuple[int, ...]:
    [row] = await db.read(
        "SELECT (SELECT max(rowid) FROM jobs), (SELECT max(id) FROM events), "
        "(SELECT max(id) FROM ledger)"
    )
    return tuple(row)


async def test_a_second_move_is_refused_and_changes_nothing(collected: Evidence, blank: str):
    await move_database(collected.database, blank)
    with psycopg.connect(blank) as theirs:
        before = content(theirs, "jobs")

    with pytest.raises(SnapshotFailed, match="is not empty"):
        await move_database(collected.database, blank)

    with psycopg.connect(blank) as theirs:
        assert content(theirs, "jobs") == before


async def test_a_database_that_a_bot_has_used_is_refused(collected: Evidence, blank: str):
    db = await open_database(PostgresUrl(blank))
    await db.probe()
    await db.close()

    with pytest.raises(SnapshotFailed, match="meta has rows"):
        await move_database(collected.database, blank)


async def test_tables_without_rows_are_filled(collected: Evidence, blank: str):
    await (await open_database(PostgresUrl(blank))).close()
    assert (await move_database(collected.database, blank)).rows > 100


async def test_of_two_moves_at_once_one_is_refused(collected: Evidence, blank: str):
    outcomes = await asyncio.gather(
        *(move_database(collected.database, blank) for _ in range(2)), return_exceptions=True
    )
    refused = [each for each in outcomes if isinstance(each, SnapshotFailed)]
    assert len(refused) == 1
    assert Evidence(collected.root, PostgresUrl(blank)).broken() == {}


async def test_a_row_that_postgresql_refuses_leaves_the_database_blank(
    collected: Evidence, blank: str, tmp_path: Path
):
    broken = tmp_path / "stemcord.db"
    broken.write_bytes(collected.database.read_bytes())
    with closing(sqlite3.connect(broken, isolation_level=None)) as conn:
        conn.execute("INSERT INTO events (job_id, to_state, at) VALUES ('nobody', 'held', 1)")

    with pytest.raises(SnapshotFailed, match="does not accept a row"):
        await move_database(broken, blank)

    with psycopg.connect(blank) as theirs:
        assert theirs.execute(
            "SELECT count(*) FROM pg_tables WHERE tablename = 'jobs'"
        ).fetchone() == (0,)


async def test_an_older_schema_is_refused(blank: str, tmp_path: Path):
    old = tmp_path / "stemcord.db"
    from storage.database.connection import Database as SqliteDatabase
    from storage.database.schema import migrations

    await (await SqliteDatabase.open(old, steps=migrations()[:-1])).close()
    with pytest.raises(UnknownDatabase, match="start the bot once"):
        await move_database(old, blank)


async def test_a_server_that_is_away_changes_nothing(collected: Evidence):
    with pytest.raises(StoreUnavailable):
        await move_database(collected.database, "postgresql://me@127.0.0.1:1/stemcord")
