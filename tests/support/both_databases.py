"""Opens databases of both kinds, for tests that run on each."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.cluster.database_server import NoServer
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
    """Yield the PostgreSQL server of the tests. Skips the test if this machine has none."""
    is_required = os.environ.get("STEMCORD_TEST_POSTGRES") == "1"
    try:
        from tests.support.postgres_server import running_server
    except ImportError as exc:
        if is_required:
            raise
        pytest.skip(f"psycopg is not installed: {exc}")
    try:
        with running_server() as server:
            yield server
    except NoServer as exc:
        if is_required:
            raise
        pytest.skip(str(exc))


@contextmanager
def fresh(server: Any) -> Iterator[Address]:
    """Yield the address of a new database on the server, or of an SQLite file without one."""
    if server is not None:
        with server.database() as url:
            yield PostgresUrl(url)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder, "stemcord.db")
