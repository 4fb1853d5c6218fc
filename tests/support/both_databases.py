"""Opens databases of both kinds, for tests that run on each."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.cluster.database_server import (
    FAST,
    DatabaseServer,
    NoServer,
    running_database_server,
)
from storage.database.connection import Database as SqliteDatabase
from storage.database.opening import Address, PostgresUrl, open_database
from storage.database.protocols import Database
from tests.support import databases


async def reopen(address: Address) -> Database:
    """Open the database. SQLite does not wait for the disk."""
    if isinstance(address, Path):
        return await databases.open_database(address, SqliteDatabase, busy_timeout_s=0.05)
    return await open_database(address)


def serve() -> Iterator[Any]:
    """Yield the PostgreSQL server of the tests."""
    with _skipped_without_postgres():
        from tests.support.postgres_server import running_server

        with running_server() as server:
            yield server


def serve_alone(settings: Sequence[str] = FAST) -> Iterator[DatabaseServer]:
    """Yield a PostgreSQL server that the test may stop and start."""
    with _skipped_without_postgres(), running_database_server(settings) as server:
        yield server


@contextmanager
def _skipped_without_postgres() -> Iterator[None]:
    """Skip the test on a machine without PostgreSQL, or fail where the environment requires it."""
    try:
        yield
    except (ImportError, NoServer) as exc:
        if os.environ.get("STEMCORD_TEST_POSTGRES") == "1":
            raise
        pytest.skip(f"PostgreSQL cannot be used here: {exc}")


@contextmanager
def fresh(server: Any) -> Iterator[Address]:
    """Yield the address of a new database on the server or, without a server, of an SQLite file."""
    if server is not None:
        with server.database() as url:
            yield PostgresUrl(url)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder, "stemcord.db")
