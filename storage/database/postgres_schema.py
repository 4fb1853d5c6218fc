"""Brings a PostgreSQL database's schema up to date. The migrations are in postgres_migrations/."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from bot.domain.errors import StoreUnavailable
from storage.database.postgres_sessions import PostgresRow, check_server
from storage.database.schema import Migration, NewerDatabase, UnknownDatabase

# One process migrates; the others wait, and find nothing to do.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('stemcord schema', 0))"
_ENCODING = "SELECT current_setting('server_encoding') AS encoding"
VERSION = """
SELECT
    to_regclass('schema_version') IS NOT NULL AS is_ours,
    EXISTS (
        SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'jobs'
    ) AS has_jobs
"""
NUMBER = "SELECT number FROM schema_version"


async def migrate(conn: AsyncConnection[PostgresRow], steps: Sequence[Migration]) -> None:
    """Apply the steps that the database does not have yet, all of them or none.

    Raises UnknownDatabase for another program's tables or a server that cannot be used, and
    NewerDatabase for a newer version's schema.
    """
    [row] = await (await conn.execute(_ENCODING)).fetchall()
    check_server(conn.info.server_version, row["encoding"])
    async with conn.transaction():
        await conn.execute(_LOCK)
        version = await _version(conn)
        check_version(version, steps)
        for step in steps:
            if step.number > version:
                await conn.execute(step.sql.encode())
                await conn.execute("UPDATE schema_version SET number = %s", (step.number,))


async def require_migrated(conn: AsyncConnection[PostgresRow], steps: Sequence[Migration]) -> None:
    """Raise StoreUnavailable unless the schema is the newest that this version knows."""
    [row] = await (await conn.execute(VERSION)).fetchall()
    number = 0
    if row["is_ours"]:
        [row] = await (await conn.execute(NUMBER)).fetchall()
        number = int(row["number"])
    if number != (needed := steps[-1].number):
        raise StoreUnavailable(
            f"the database has schema version {number}, and this version needs {needed}"
        )


def check_version(version: int, steps: Sequence[Migration]) -> None:
    """Raise NewerDatabase if this version does not know the schema."""
    newest = steps[-1].number
    if version > newest:
        raise NewerDatabase(
            f"The database has schema version {version}, but this Stemcord knows only up to "
            f"{newest}. Run the newer version, or restore a backup made by this one."
        )


async def _version(conn: AsyncConnection[PostgresRow]) -> int:
    [row] = await (await conn.execute(VERSION)).fetchall()
    if not row["is_ours"]:
        if row["has_jobs"]:
            raise UnknownDatabase("The database belongs to another program, not to Stemcord.")
        return 0
    [row] = await (await conn.execute(NUMBER)).fetchall()
    return int(row["number"])
