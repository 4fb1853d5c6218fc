from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.database.opening import Address, PostgresUrl
from tests.support import both_databases
from tests.support.harness import Harness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    """The real services on a real database, with fakes for the outside world."""
    built = await Harness.build(tmp_path)
    yield built
    await built.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """A PostgreSQL server. Without one on this machine, the test is skipped."""
    yield from both_databases.serve()


@pytest.fixture(scope="session", params=both_databases.KINDS)
def server(request: pytest.FixtureRequest) -> Any:
    """A PostgreSQL server, or None for SQLite. Tests with this fixture run on both."""
    return request.getfixturevalue("postgres_server") if request.param == "postgres" else None


@pytest.fixture
def address(server: Any, tmp_path: Path) -> Iterator[Address]:
    """The address of a new database: once an SQLite file, once a PostgreSQL database."""
    if server is None:
        yield tmp_path / "stemcord.db"
        return
    with server.database() as url:
        yield PostgresUrl(url)
