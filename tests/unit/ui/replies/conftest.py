from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database.connection import Database
from tests.support.databases import open_database
from tests.unit.ui.replies.writer_harness import WriterHarness


@pytest.fixture
async def writer_harness(tmp_path: Path) -> AsyncIterator[WriterHarness]:
    db = await open_database(tmp_path / "stemcord.db", Database)
    yield WriterHarness(db)
    await db.close()
