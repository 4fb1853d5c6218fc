from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.harness import Harness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    """The real services on a real database, with fakes for the outside world."""
    built = await Harness.build(tmp_path)
    yield built
    await built.close()
