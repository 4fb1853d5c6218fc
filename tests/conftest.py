from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.harness import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The real services over a real database, with fakes where they reach outside."""
    built = await House.build(tmp_path)
    yield built
    await built.close()
