"""Fixtures: a real store of jobs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database.connection import Database
from storage.stores.job_store import JobStore
from tests.support.databases import open_database


@pytest.fixture
async def jobs(tmp_path: Path) -> AsyncIterator[JobStore]:
    database = await open_database(tmp_path / "stemcord.db", Database)
    yield JobStore(db=database)
    await database.close()
