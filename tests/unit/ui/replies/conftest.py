from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database.connection import Database
from tests.unit.ui.replies.writer_harness import WriterHarness


@pytest.fixture
async def writer_harness(tmp_path: Path) -> AsyncIterator[WriterHarness]:
    db = await Database.open(tmp_path / "stemcord.db", durable=False)
    yield WriterHarness(db)
    await db.close()
