"""Read-only access to a PostgreSQL database for one command."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from storage.database import postgres_sessions as sessions
from storage.database.postgres_schema import NUMBER, VERSION, check_version
from storage.database.protocols import Parameters, Row
from storage.database.schema import UnknownDatabase, postgres_migrations

_PAGES = """
SELECT coalesce(sum(pg_relation_size(oid) / current_setting('block_size')::bigint), 0) AS pages
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i')
"""
# Faults that would allow or hide a broken row.
_FAULTS = """
SELECT 'index ' || indexrelid::regclass AS fault
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = current_schema()::regnamespace AND NOT (indisvalid AND indisready)
UNION ALL
SELECT 'constraint ' || conname
FROM pg_constraint
WHERE connamespace = current_schema()::regnamespace AND NOT convalidated
ORDER BY 1
"""
_REFERENCES = (
    ("attempts", "job_id", "jobs", "id"),
    ("events", "job_id", "jobs", "id"),
    ("open_replies", "job_id", "jobs", "id"),
    ("ledger", "hold_id", "ledger", "id"),
    ("batch_songs", "batch_id", "batches", "id"),
    ("batch_songs", "job_id", "jobs", "id"),
    ("separations", "job_id", "jobs", "id"),
)
_ROW_ID = {
    "attempts": "rowid",
    "events": "id",
    "open_replies": "interaction_id",
    "ledger": "id",
    "batch_songs": "batch_id",
    "separations": "job_id",
}


class PostgresReader:
    """A `Reader` of a connection made by `open_postgres_reader`."""

    def __init__(self, conn: psycopg.Connection[sessions.PostgresRow]) -> None:
        self._conn = conn

    def rows(self, sql: str, parameters: Parameters = ()) -> Sequence[Row]:
        """Return all rows of one query."""
        found = self._conn.execute(sessions.translated(sql), sessions.values(parameters))
        return found.fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see the same committed state."""
        self._conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self._conn.rollback()

    def pages(self) -> int:
        """Return the number of pages of tables and indexes."""
        [row] = self.rows(_PAGES)
        return int(row["pages"])

    def faults(self) -> list[str]:
        """Return indexes that cannot be used, and constraints that not every row was checked for.

        Damaged pages are found by data checksums and `pg_amcheck`, on the server.
        """
        return [str(row["fault"]) for row in self.rows(_FAULTS)]

    def lost_references(self) -> list[str]:
        """Return the rows that refer to a row that does not exist."""
        return [str(row["lost"]) for each in _REFERENCES for row in self.rows(_lost(*each))]


@contextmanager
def open_postgres_reader(url: str, *, is_current: bool) -> Iterator[PostgresReader]:
    """Connect for reading only.

    Raises UnknownDatabase if the database is not Stemcord's or newer than this version, or, with
    `is_current`, older; StoreUnavailable if the server cannot be reached.
    """
    with (
        sessions.translated_errors(),
        psycopg.Connection[sessions.PostgresRow].connect(
            sessions.conninfo(url), autocommit=True, row_factory=sessions.rows
        ) as conn,
    ):
        sessions.prepare(conn)
        conn.execute(sessions.settings_statement(sessions.READ_ONLY))
        reader = PostgresReader(conn)
        _check(reader, is_current=is_current)
        yield reader


def _check(reader: PostgresReader, *, is_current: bool) -> None:
    [row] = reader.rows(VERSION)
    if not row["is_ours"]:
        raise UnknownDatabase(
            "The database is not one of Stemcord's; start the bot once to create its tables."
        )
    [row] = reader.rows(NUMBER)
    steps = postgres_migrations()
    check_version(int(row["number"]), steps)
    if is_current and int(row["number"]) < steps[-1].number:
        raise UnknownDatabase(
            f"The database has schema version {row['number']}; start the bot once to bring it to "
            f"{steps[-1].number}."
        )


def _lost(table: str, column: str, to: str, key: str) -> str:
    return (
        f"SELECT '{table} row ' || {_ROW_ID[table]} AS lost FROM {table} "  # noqa: S608 - constants
        f"WHERE {column} IS NOT NULL "
        f"AND NOT EXISTS (SELECT 1 FROM {to} AS other WHERE other.{key} = {table}.{column})"
    )
