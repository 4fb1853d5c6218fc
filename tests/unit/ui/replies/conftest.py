from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database.connection import Database
from tests.unit.ui.replies.writer_harness import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    db = await Database.open(tmp_path / "stemcord.db", durable=False)
    yield Desk(db)
    await db.close()
