from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database.connection import Database
from storage.database.opening import Address
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from tests.support.databases import open_database
from tests.support.domain_factories import StillClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stemcord.db"


@pytest.fixture(scope="session")
def server() -> None:
    """None: these tests run on SQLite, and tests/integration/storage repeats them on a server."""


@pytest.fixture
def address(path: Path) -> Address:
    return path


@pytest.fixture
async def db(path: Path) -> AsyncIterator[Database]:
    database = await open_database(path, Database, busy_timeout_s=0.05)
    yield database
    await database.close()


@pytest.fixture
def jobs(db: Database) -> JobStore:
    return JobStore(db=db)


@pytest.fixture
def ledger(db: Database) -> Ledger:
    return Ledger(db=db, clock=StillClock())
