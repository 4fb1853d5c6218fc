"""The checks of `doctor` for the database user of a worker, who needs few rights."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import psycopg

from storage.database import postgres_sessions as sessions
from storage.database.postgres_report import (
    ServerReport,
    holds_locks,
    session,
    troubles_of_workers,
)
from storage.database.postgres_schema import NUMBER, VERSION
from storage.database.schema import postgres_migrations

_ALL: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_AUDIO_TASKS: Final = "audio_tasks"
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "schema_version": ("SELECT",),
    "separations": ("SELECT", "UPDATE"),
    _AUDIO_TASKS: ("SELECT", "UPDATE"),
    "workers": _ALL,
    "procrastinate_jobs": _ALL,
    "procrastinate_events": _ALL,
    "procrastinate_periodic_defers": _ALL,
    "procrastinate_workers": _ALL,
}
"""What a worker does with each table; docs/workers.md grants it."""
SEQUENCES: Final = (
    "procrastinate_jobs_id_seq",
    "procrastinate_events_id_seq",
    "procrastinate_periodic_defers_id_seq",
)
_MAY = "SELECT has_table_privilege(%s, %s) AS may"
_MAY_COUNT = "SELECT has_sequence_privilege(%s, 'USAGE') AS may"
_READABLE = """
SELECT tablename FROM pg_tables
WHERE schemaname = current_schema()
    AND has_table_privilege(quote_ident(schemaname) || '.' || quote_ident(tablename), 'SELECT')
"""
_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on' AS is_read_only"


def report_on_worker(url: str, *, takes_audio: bool = True) -> ServerReport:
    """Connect twice, and change nothing. Raises StoreUnavailable."""
    with sessions.translated_errors(), session(url) as one, session(url) as other:
        problems = list(_problems(one, takes_audio=takes_audio))
        if not holds_locks(one, other):
            problems.append(
                "STEMCORD_DATABASE_URL leads to a pooler in transaction mode, which tells no "
                "worker of new songs"
            )
        return ServerReport(
            version=str(one.info.parameter_status("server_version")).split()[0],
            place=f"{one.info.host}/{one.info.dbname}",
            problems=tuple(problems),
            notes=tuple(_notes(one)) if not problems else (),
        )


def _problems(conn: psycopg.Connection[Any], *, takes_audio: bool) -> Iterator[str]:
    [row] = conn.execute(_READ_ONLY).fetchall()
    if row["is_read_only"]:
        yield "The server takes no writes: is it a standby?"
    [row] = conn.execute(VERSION).fetchall()
    if not row["is_ours"]:
        yield "The database has no tables for this user: start a bot once, and see docs/workers.md"
        return
    missing = [
        f"{right} on {table}"
        for table, rights in TABLES.items()
        for right in rights
        if (takes_audio or table != _AUDIO_TASKS)
        and not conn.execute(_MAY, (table, right)).fetchall()[0]["may"]
    ]
    missing += [
        f"USAGE on {name}"
        for name in SEQUENCES
        if not conn.execute(_MAY_COUNT, (name,)).fetchall()[0]["may"]
    ]
    if missing:
        yield f"This user lacks rights of a worker (docs/workers.md): {', '.join(missing)}"
        return
    [row] = conn.execute(NUMBER).fetchall()
    if row["number"] != (needed := postgres_migrations()[-1].number):
        yield (
            f"The database has schema version {row['number']}, and a worker of this version waits "
            f"for {needed}"
        )


def _notes(conn: psycopg.Connection[Any]) -> Iterator[str]:
    yield from troubles_of_workers(conn)
    readable = {row["tablename"] for row in conn.execute(_READABLE).fetchall()}
    if others := sorted(readable - TABLES.keys()):
        yield (
            f"This user may read {', '.join(others[:3])} and others, which no worker needs; "
            "docs/workers.md has the rights of a user of its own"
        )
