"""Numbered, forward-only schema migrations, and their application to SQLite."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiosqlite import Connection

APPLICATION_ID = 0x5354454D  # 'STEM'; the first migration writes it into the file's header
_FOLDER = Path(__file__).with_name("migrations")
_POSTGRES_FOLDER = Path(__file__).with_name("postgres_migrations")


class UnknownDatabase(Exception):
    """This version cannot use the file. The message is a sentence for the operator."""


class NewerDatabase(UnknownDatabase):
    """The file was written by a newer version than this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema, from version `number - 1` to `number`."""

    number: int
    sql: str


def migrations() -> tuple[Migration, ...]:
    """Return the migrations of this version for SQLite, in order."""
    return _in(_FOLDER)


def postgres_migrations() -> tuple[Migration, ...]:
    """Return the migrations of this version for PostgreSQL, in order.

    A number means the same schema as in SQLite. The first migration replaces several.
    """
    return _in(_POSTGRES_FOLDER)


@cache
def _in(folder: Path) -> tuple[Migration, ...]:
    return tuple(
        Migration(number=int(path.name[:4]), sql=path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.sql"))
    )


async def migrate(conn: Connection, steps: Sequence[Migration]) -> None:
    """Apply the steps that the database does not have yet.

    Raises UnknownDatabase for another program's file, and NewerDatabase for a newer version's.
    """
    version = await _version(conn)
    if version > len(steps):
        raise NewerDatabase(
            f"The database has schema version {version}, but this Stemcord knows only up to "
            f"{len(steps)}. Run the newer version, or restore a backup made by this one."
        )
    for step in steps[version:]:
        await _apply(conn, step)


async def _version(conn: Connection) -> int:
    version = await _number(conn, "PRAGMA user_version")
    application_id = await _number(conn, "PRAGMA application_id")
    is_empty = await _number(conn, "SELECT count(*) = 0 FROM sqlite_schema")
    if not is_empty and application_id != APPLICATION_ID:
        raise UnknownDatabase("The database file belongs to another program, not to Stemcord.")
    return version


async def _number(conn: Connection, sql: str) -> int:
    [row] = await conn.execute_fetchall(sql)
    return int(row[0])


async def _apply(conn: Connection, step: Migration) -> None:
    # executescript() first commits any open transaction, so BEGIN and COMMIT around the change and
    # its record have to be part of the script.
    script = f"BEGIN IMMEDIATE;\n{step.sql}\nPRAGMA user_version = {step.number};\nCOMMIT;"
    try:
        await conn.executescript(script)
    except BaseException:
        await conn.rollback()
        raise
