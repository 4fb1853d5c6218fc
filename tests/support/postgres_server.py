"""A PostgreSQL server for the tests, and an empty Stemcord database for each test."""

import asyncio
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg

from sandbox.cluster.database_server import FAST, running_database_server
from storage.database.postgres import PostgresDatabase

URL_VARIABLE = "STEMCORD_TEST_DATABASE_URL"
"""The address of an existing server on which the tests create and drop databases."""
REQUIRED_VARIABLE = "STEMCORD_TEST_POSTGRES"
"""With 1, tests that find no server fail instead of being skipped."""
_TABLES = """
SELECT tablename FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'schema_version'
"""


class PostgresServer:
    """A running server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count(1)
        self._prefix = f"stemcord_test_{os.getpid()}"
        self._template: str | None = None
        self._emptied: list[str] = []

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the address of a database with the current schema and no rows.

        Other tests use the database after it is emptied, so its schema must not be changed.
        """
        name = self._emptied.pop() if self._emptied else self._new(self._migrated())
        yield self.url_of(name)
        _empty(self.url_of(name))
        self._emptied.append(name)

    @contextmanager
    def blank(self, *, encoding: str = "UTF8") -> Iterator[str]:
        """Yield the address of a database without any table."""
        name = self._new(None, encoding)
        yield self.url_of(name)
        self._drop(name)

    @contextmanager
    def copy(self, url: str) -> Iterator[str]:
        """Yield the address of a copy of a database that is not in use."""
        name = self._new(urlsplit(url).path.lstrip("/"))
        yield self.url_of(name)
        self._drop(name)

    def close(self) -> None:
        """Drop the databases that all tests shared."""
        for name in (*self._emptied, self._template):
            if name is not None:
                self._drop(name)

    def url_of(self, name: str) -> str:
        """Return the address of a database on this server."""
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def _migrated(self) -> str:
        if self._template is None:
            name = self._new(None)
            asyncio.run(_migrate(self.url_of(name)))
            self._template = name
        return self._template

    def _new(self, template: str | None, encoding: str = "UTF8") -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        if template is not None:
            self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
            return name
        # Use a language's collation, as most servers do.
        order = "LOCALE_PROVIDER icu ICU_LOCALE 'en'" if self._knows_icu() else "LOCALE 'C'"
        self._run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' {order}")
        return name

    def _drop(self, name: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _knows_icu(self) -> bool:
        with psycopg.connect(self._url, autocommit=True) as conn:
            return conn.info.server_version >= 150_000

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute(statement.encode())


def _empty(url: str) -> None:
    """Delete all rows, bypassing the triggers, and restart all identities."""
    with psycopg.connect(url) as conn:
        conn.execute("SET LOCAL lock_timeout = '5s'")
        conn.execute("SET LOCAL session_replication_role = replica")
        tables = conn.execute(_TABLES).fetchall()
        sequences = conn.execute("SELECT sequencename FROM pg_sequences").fetchall()
        conn.execute(";".join(f"DELETE FROM {table}" for (table,) in tables).encode())
        conn.execute(";".join(f"ALTER SEQUENCE {name} RESTART" for (name,) in sequences).encode())


async def _migrate(url: str) -> None:
    db = await PostgresDatabase.open(url)
    await db.close()


@contextmanager
def running_server(*, is_durable: bool = False) -> Iterator[PostgresServer]:
    """Yield the server that the environment names, or start a server for the tests.

    With `is_durable`, it waits for the disk, as servers do by default.

    Raises NoServer.
    """
    if url := os.environ.get(URL_VARIABLE):
        yield from _used(PostgresServer(url))
        return
    with running_database_server(() if is_durable else FAST) as server:
        yield from _used(PostgresServer(server.url))


def _used(server: PostgresServer) -> Iterator[PostgresServer]:
    try:
        yield server
    finally:
        server.close()
