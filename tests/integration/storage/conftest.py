"""Databases on a PostgreSQL server, in place of the SQLite files of tests/unit/storage."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from storage.database.opening import PostgresUrl
from storage.database.postgres import PostgresDatabase
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from tests.support.domain_factories import StillClock


@pytest.fixture(scope="session")
def server(postgres_server: Any) -> Any:
    return postgres_server


@pytest.fixture
def url(server: Any) -> Iterator[str]:
    """The address of a new database."""
    with server.database() as url:
        yield url


@pytest.fixture
def address(url: str) -> PostgresUrl:
    return PostgresUrl(url)


@pytest.fixture
async def db(url: str) -> AsyncIterator[PostgresDatabase]:
    database = await PostgresDatabase.open(url)
    yield database
    await database.close()


@pytest.fixture
def jobs(db: PostgresDatabase) -> JobStore:
    return JobStore(db=db)


@pytest.fixture
def ledger(db: PostgresDatabase) -> Ledger:
    return Ledger(db=db, clock=StillClock())
