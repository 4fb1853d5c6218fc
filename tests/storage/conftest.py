from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from storage.jobs import JobStore
from storage.ledger import Ledger
from tests.storage.factories import StillClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stemcord.db"


@pytest.fixture
async def db(path: Path) -> AsyncIterator[Database]:
    database = await Database.open(path, durable=False, busy_timeout_s=0.05)
    yield database
    await database.close()


@pytest.fixture
def jobs(db: Database) -> JobStore:
    return JobStore(db=db)


@pytest.fixture
def ledger(db: Database) -> Ledger:
    return Ledger(db=db, clock=StillClock())
