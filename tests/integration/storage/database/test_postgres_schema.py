"""The migrations of PostgreSQL and SQLite lead to the same schema."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from storage.database.connection import Database as SqliteDatabase
from storage.database.postgres import PostgresDatabase
from storage.database.schema import (
    Migration,
    NewerDatabase,
    UnknownDatabase,
    migrations,
    postgres_migrations,
)

NEXT = len(migrations()) + 1
TYPES = {"INTEGER": {"bigint", "boolean"}, "TEXT": {"text"}, "BLOB": {"bytea"}}
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable = 'NO' AS is_needed
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name <> 'schema_version' AND column_name <> 'rowid'
    AND table_name NOT LIKE 'procrastinate_%'
ORDER BY table_name, ordinal_position
"""
INDEXES = """
SELECT relname, indisunique, indpred IS NOT NULL AS is_partial,
    pg_get_indexdef(indexrelid) AS definition
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = 'public'::regnamespace
    AND indrelid::regclass::text NOT LIKE 'procrastinate_%'
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype <> 'f')
"""
REFERENCES = """
SELECT conrelid::regclass::text, confrelid::regclass::text, confdeltype = 'c'
FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text NOT LIKE 'procrastinate_%'
"""
CHECKS = """
SELECT conrelid::regclass::text AS name, count(*)
FROM pg_constraint
WHERE contype = 'c' AND conrelid <> 0 AND conrelid::regclass::text NOT LIKE 'procrastinate_%'
GROUP BY conrelid
"""


class Column(NamedTuple):
    type: str
    is_needed: bool


@pytest.fixture
def blank(postgres_server: Any) -> Iterator[str]:
    with postgres_server.blank() as url:
        yield url


@pytest.fixture
def made(postgres_server: Any) -> Iterator[psycopg.Connection[Any]]:
    with postgres_server.database() as url, psycopg.connect(url) as conn:
        yield conn


@pytest.fixture
def original(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "stemcord.db"
    asyncio.run(_make(path))
    with closing(sqlite3.connect(path)) as conn:
        yield conn


async def _make(path: Path) -> None:
    await (await SqliteDatabase.open(path, durable=False)).close()


def tables(conn: sqlite3.Connection) -> list[str]:
    rows = conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    return [name for (name,) in rows if not name.startswith("sqlite_")]


def test_numbers_end_alike():
    assert postgres_migrations()[-1].number == migrations()[-1].number
    numbers = [step.number for step in postgres_migrations()]
    assert numbers == list(range(numbers[0], NEXT))


def test_tables_have_the_same_columns_of_the_same_types(
    original: sqlite3.Connection, made: psycopg.Connection[Any]
):
    theirs: defaultdict[str, dict[str, Column]] = defaultdict(dict)
    for table, name, kind, is_needed in made.execute(COLUMNS):
        theirs[table][name] = Column(kind, is_needed)
    assert sorted(theirs) == tables(original)
    for table in tables(original):
        rows = list(original.execute(f"PRAGMA table_xinfo({table})"))
        ours = {row[1]: Column(row[2], bool(row[3] or row[5])) for row in rows}
        assert list(ours) == list(theirs[table]), table
        for name, column in ours.items():
            found = theirs[table][name]
            assert found.type in TYPES[column.type], (table, name)
            assert found.is_needed == column.is_needed, (table, name)


def test_indexes_have_the_same_names_and_cover_the_same(
    original: sqlite3.Connection, made: psycopg.Connection[Any]
):
    ours: dict[str, tuple[bool, bool, str]] = {}
    for table in tables(original):
        for _, name, is_unique, origin, is_partial in original.execute(
            f"PRAGMA index_list({table})"
        ):
            if origin == "c":
                columns = [row[2] for row in original.execute(f"PRAGMA index_info({name})")]
                ours[name] = bool(is_unique), bool(is_partial), f"({', '.join(columns)})"
    theirs = {name: tuple(about) for name, *about in made.execute(INDEXES)}
    assert sorted(theirs) == sorted(ours)
    for name, (is_unique, is_partial, covered) in ours.items():
        assert theirs[name][:2] == (is_unique, is_partial), name
        assert covered in theirs[name][2], name


def test_references_and_checks_are_the_same(
    original: sqlite3.Connection, made: psycopg.Connection[Any]
):
    ours = {
        (table, row[2], row[6] == "CASCADE")
        for table in tables(original)
        for row in original.execute(f"PRAGMA foreign_key_list({table})")
    }
    assert set(made.execute(REFERENCES).fetchall()) == ours
    assert _checks(original) == dict(made.execute(CHECKS).fetchall())


def _checks(conn: sqlite3.Connection) -> Mapping[str, int]:
    """Count the checks of each table, except those of boolean columns, which only SQLite needs."""
    texts = dict(conn.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'"))
    counts = {
        name: text.count("CHECK (") - text.count(" IN (0, 1)") for name, text in texts.items()
    }
    return {name: count for name, count in counts.items() if count}


def test_the_queue_has_the_schema_of_the_installed_procrastinate():
    # A newer version's changes become a migration, and this test compares their result.
    [step] = [step for step in postgres_migrations() if "procrastinate_jobs" in step.sql]
    assert step.sql.endswith(SchemaManager.get_schema())


async def opened(url: str, steps: Sequence[Migration]) -> None:
    db = await PostgresDatabase.open(url, steps=steps)
    await db.close()


async def test_opening_again_keeps_what_is_there(blank: str):
    await opened(blank, postgres_migrations())
    grow = Migration(number=NEXT, sql="ALTER TABLE meta ADD COLUMN note text;")
    with psycopg.connect(blank) as conn:
        conn.execute("INSERT INTO meta (key, value) VALUES ('a', '1')")
    await opened(blank, [*postgres_migrations(), grow])
    await opened(blank, [*postgres_migrations(), grow])
    with psycopg.connect(blank) as conn:
        assert conn.execute("SELECT key, value, note FROM meta").fetchall() == [("a", "1", None)]


async def test_processes_that_start_at_once_migrate_once(blank: str):
    await asyncio.gather(*(opened(blank, postgres_migrations()) for _ in range(4)))


async def test_a_migration_that_fails_leaves_the_version_before(blank: str):
    await opened(blank, postgres_migrations())
    broken = Migration(
        number=NEXT, sql="CREATE TABLE half (a int); INSERT INTO nowhere VALUES (1);"
    )
    with pytest.raises(psycopg.errors.UndefinedTable, match="nowhere"):
        await opened(blank, [*postgres_migrations(), broken])
    with psycopg.connect(blank) as conn:
        assert conn.execute("SELECT number FROM schema_version").fetchall() == [(NEXT - 1,)]
        assert conn.execute("SELECT to_regclass('half')").fetchall() == [(None,)]


async def test_a_newer_schema_is_refused(blank: str):
    await opened(blank, [*postgres_migrations(), Migration(number=NEXT, sql="SELECT 1;")])
    with pytest.raises(NewerDatabase, match=f"schema version {NEXT}, but this Stemcord knows only"):
        await opened(blank, postgres_migrations())


async def test_the_tables_of_another_program_are_left_alone(blank: str):
    with psycopg.connect(blank) as conn:
        conn.execute("CREATE TABLE jobs (id int)")
    with pytest.raises(UnknownDatabase, match="another program"):
        await opened(blank, postgres_migrations())


async def test_a_database_in_another_encoding_is_refused(postgres_server: Any):
    with (
        postgres_server.blank(encoding="LATIN1") as url,
        pytest.raises(UnknownDatabase, match="encoded in LATIN1"),
    ):
        await opened(url, postgres_migrations())


@pytest.mark.parametrize(
    "statement",
    ["UPDATE ledger SET minutes = 1", "DELETE FROM ledger", "TRUNCATE ledger CASCADE"],
)
def test_the_ledger_is_only_appended_to(made: psycopg.Connection[Any], statement: str):
    made.execute(
        "INSERT INTO ledger (at, period, kind, debit, credit, minutes, actor_id) "
        "VALUES (1, '2026-11-20', 'grant', 'house', 'user:1:available', 5, 9)"
    )
    with pytest.raises(psycopg.errors.RaiseException, match="only appended to"):
        made.execute(statement)
    made.rollback()
