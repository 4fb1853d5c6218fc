"""The checks of `doctor` for a PostgreSQL server."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from storage.database import postgres_sessions as sessions
from storage.database.schema import UnknownDatabase

_ABOUT = """
SELECT
    current_setting('server_encoding') AS encoding,
    current_setting('transaction_read_only') = 'on' AS is_read_only,
    has_schema_privilege(current_schema(), 'CREATE') AS may_create
"""
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('stemcord doctor', %s)) AS is_ours"

# Before the migration that adds them, or without the right to read them, no troubles are known.
_HAS_TROUBLES = """
SELECT EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = 'workers' AND column_name = 'trouble'
) AS is_so
"""
_TROUBLES = """
SELECT name, trouble FROM workers
WHERE trouble IS NOT NULL AND seen_at >= extract(epoch FROM now()) - 15
ORDER BY name, id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """A server, and the obstacles to its use by a bot."""

    version: str
    place: str
    """The host and the database, without user and password."""
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """Problems that do not keep the bot from working."""


def report_on(url: str) -> ServerReport:
    """Connect twice, try the locks, and change nothing. Raises StoreUnavailable."""
    with sessions.translated_errors(), session(url) as one, session(url) as other:
        return ServerReport(
            version=str(one.info.parameter_status("server_version")).split()[0],
            place=f"{one.info.host}/{one.info.dbname}",
            problems=tuple(_problems(one, other)),
            notes=tuple(troubles_of_workers(one)),
        )


def troubles_of_workers(conn: psycopg.Connection[Any]) -> Iterator[str]:
    """Return what running workers cannot do at the moment, as sentences for the operator."""
    [row] = conn.execute(_HAS_TROUBLES).fetchall()
    if row["is_so"]:
        for worker in conn.execute(_TROUBLES).fetchall():
            yield f"The worker {worker['name']} has trouble with {worker['trouble']}"


def session(url: str) -> psycopg.Connection[sessions.PostgresRow]:
    """Connect in autocommit mode."""
    return psycopg.Connection[sessions.PostgresRow].connect(
        sessions.conninfo(url), autocommit=True, row_factory=sessions.rows
    )


def _problems(one: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> Iterator[str]:
    [row] = one.execute(_ABOUT).fetchall()
    try:
        sessions.check_server(one.info.server_version, row["encoding"])
    except UnknownDatabase as exc:
        yield str(exc)
    if row["is_read_only"]:
        yield "The server takes no writes: is it a standby?"
    elif not row["may_create"]:
        yield "This user may not create tables: GRANT CREATE ON SCHEMA public"
    if not holds_locks(one, other):
        yield (
            "STEMCORD_DATABASE_URL leads to a pooler in transaction mode, where no lock holds; "
            "give PostgreSQL's own address, or a pooler's in session mode"
        )


def holds_locks(one: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> bool:
    """Whether each of two connections has its own session.

    A pooler that shares a session among clients gives the same lock to each of them.
    """
    number = one.info.backend_pid
    return not (_takes(one, number) and _takes(other, number))


def _takes(conn: psycopg.Connection[Any], number: int) -> bool:
    [row] = conn.execute(_LOCK, (number,)).fetchall()
    return bool(row["is_ours"])
