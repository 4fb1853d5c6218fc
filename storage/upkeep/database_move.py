"""Copies an SQLite database into an empty PostgreSQL database, in one transaction.

Tables and columns are read from the schema, so every table is copied.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql

from storage.database import postgres_sessions as sessions
from storage.database.postgres_schema import migrate
from storage.database.postgres_sessions import PostgresRow
from storage.database.protocols import ConstraintViolated
from storage.database.read_only import faults, read_only
from storage.database.schema import migrations, postgres_migrations
from storage.upkeep.snapshots import SnapshotFailed

# A table may be large, so statements have no limit. A lock that is already taken means that a bot
# is running.
_SETTINGS = {"statement_timeout": "0", "lock_timeout": "5s"}
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
_STORED = 0
"""The value of `hidden` in PRAGMA table_xinfo for a column that is not generated."""
_THEIR_TABLES = """
SELECT tablename AS name FROM pg_tables
WHERE schemaname = current_schema() AND tablename <> 'schema_version'
ORDER BY tablename
"""
_THEIR_COLUMNS = """
SELECT column_name AS name, data_type = 'boolean' AS is_boolean, is_identity = 'YES' AS is_identity
FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = %s
"""


@dataclass(frozen=True, slots=True)
class Move:
    """A complete copy."""

    tables: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Table:
    """A table and its columns, as both databases have them."""

    name: str
    columns: tuple[str, ...]
    booleans: tuple[bool, ...]
    identity: str | None
    """The column that PostgreSQL numbers."""

    @property
    def sql_name(self) -> sql.Identifier:
        return sql.Identifier(self.name)


async def move_database(source: Path, url: str) -> Move:
    """Bring an empty PostgreSQL database to the current schema and copy all rows into it.

    The SQLite database, which no bot may be using, stays as it is. Raises UnknownDatabase if either
    database is not one of this version's, SnapshotFailed if PostgreSQL's is not empty or does not
    accept a row, and StoreUnavailable, with nothing changed.
    """
    with read_only(source, oldest=len(migrations())) as ours:
        if found := faults(ours):
            raise SnapshotFailed(f"{source} is damaged: {found[0]}")
        try:
            with sessions.translated_errors():
                async with await sessions.connect(url, _SETTINGS) as theirs, theirs.transaction():
                    return await _copy_all(ours, theirs)
        except ConstraintViolated as exc:
            raise SnapshotFailed(f"PostgreSQL does not accept a row: {exc}.") from exc
        except sqlite3.Error as exc:
            raise SnapshotFailed(f"{source} cannot be read: {exc}.") from exc


async def _copy_all(ours: sqlite3.Connection, theirs: AsyncConnection[PostgresRow]) -> Move:
    await migrate(theirs, postgres_migrations())
    tables = [await _table(name, ours, theirs) for name in _in_order(ours)]
    for table in tables:
        await theirs.execute(sql.SQL("LOCK TABLE {}").format(table.sql_name))
    await _check_empty(theirs, [table.name for table in tables])
    rows = 0
    for table in tables:
        rows += await _copy(table, ours, theirs)
    return Move(len(tables), rows)


def _in_order(ours: sqlite3.Connection) -> Iterator[str]:
    """Yield the names of all tables, each after those that it refers to."""
    names = [str(row["name"]) for row in ours.execute(_TABLES)]
    references = {
        name: {row["table"] for row in ours.execute(f"PRAGMA foreign_key_list({name})")} - {name}
        for name in names
    }
    yield from TopologicalSorter(references).static_order()


async def _table(
    name: str, ours: sqlite3.Connection, theirs: AsyncConnection[PostgresRow]
) -> _Table:
    described = await (await theirs.execute(_THEIR_COLUMNS, (name,))).fetchall()
    booleans = {row["name"] for row in described if row["is_boolean"]}
    identity = next((row["name"] for row in described if row["is_identity"]), None)
    columns = [
        str(row["name"])
        for row in ours.execute(f"PRAGMA table_xinfo({name})")
        if row["hidden"] == _STORED
    ]
    if identity is not None and identity not in columns:
        columns.append(identity)  # SQLite's implicit rowid
    return _Table(name, tuple(columns), tuple(each in booleans for each in columns), identity)


async def require_empty(url: str) -> None:
    """Raise SnapshotFailed if any table of a PostgreSQL database has rows, or StoreUnavailable."""
    with sessions.translated_errors():
        async with await sessions.connect(url, _SETTINGS) as theirs:
            tables = await (await theirs.execute(_THEIR_TABLES)).fetchall()
            await _check_empty(theirs, [row["name"] for row in tables])


async def _check_empty(theirs: AsyncConnection[PostgresRow], tables: Iterable[str]) -> None:
    for table in tables:
        any_row = sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(table))
        if await (await theirs.execute(any_row)).fetchone():
            raise SnapshotFailed(
                f"The PostgreSQL database is not empty: {table} has rows. "
                "Create a new database, and name it in STEMCORD_DATABASE_URL."
            )


async def _copy(
    table: _Table, ours: sqlite3.Connection, theirs: AsyncConnection[PostgresRow]
) -> int:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(table.sql_name, columns)
    names = ", ".join(table.columns)
    rows = 0
    async with theirs.cursor() as cursor, cursor.copy(into) as copy:
        for row in ours.execute(f"SELECT {names} FROM {table.name}"):  # noqa: S608 - of the schema
            typed = map(_typed, row, table.booleans)
            await copy.write_row(list(sessions.values(list(typed))))
            rows += 1
    await _continue_numbers(table, theirs)
    return rows


def _typed(value: Any, is_boolean: bool) -> Any:
    return bool(value) if is_boolean and value is not None else value


async def _continue_numbers(table: _Table, theirs: AsyncConnection[PostgresRow]) -> None:
    """Let the next row get the number after the highest."""
    if table.identity is None:
        return
    await theirs.execute(
        sql.SQL(
            "SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {} HAVING count(*) > 0"
        ).format(
            sql.Literal(table.name),
            sql.Literal(table.identity),
            sql.Identifier(table.identity),
            table.sql_name,
        )
    )
