"""Opens the database that the settings name. Imports psycopg only for PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from storage.database.connection import Database as SqliteDatabase
from storage.database.protocols import Database, Ownership, Reader
from storage.database.read_only import OLDEST, SqliteReader, read_only
from storage.database.schema import migrations


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """The address of a PostgreSQL database, which may hold a password."""

    secret: str = field(repr=False)


Address = Path | PostgresUrl
"""The path of an SQLite file, or the address of a PostgreSQL database."""


async def open_database(address: Address, *, owner: Ownership | None = None) -> Database:
    """Open the database, creating an SQLite file if needed, and bring its schema up to date.

    With an `owner`, a PostgreSQL database can be used only as long as that ownership lasts.

    Raises UnknownDatabase, StoreBroken with a sentence for the operator, and StoreUnavailable while
    it is locked or its server cannot be reached.
    """
    if isinstance(address, Path):
        return await SqliteDatabase.open(address)
    from storage.database.postgres import PostgresDatabase

    return await PostgresDatabase.open(address.secret, owner=owner)


async def open_migrated(url: PostgresUrl) -> Database:
    """Open a database that a bot keeps up to date.

    Raises StoreUnavailable, also while the schema is that of another version.
    """
    from storage.database.postgres import PostgresDatabase

    return await PostgresDatabase.open(url.secret, is_worker=True)


@contextmanager
def open_reader(address: Address, *, is_current: bool = False) -> Iterator[Reader]:
    """Open the database for reading only.

    Raises UnknownDatabase if it is not Stemcord's or newer than this version, or, with
    `is_current`, older; StoreUnavailable if its server cannot be reached.
    """
    if isinstance(address, Path):
        with read_only(address, oldest=len(migrations()) if is_current else OLDEST) as conn:
            yield SqliteReader(conn)
        return
    from storage.database.postgres_reader import open_postgres_reader

    with open_postgres_reader(address.secret, is_current=is_current) as reader:
        yield reader
