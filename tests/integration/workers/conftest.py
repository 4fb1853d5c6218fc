from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workers.farm import Farm, open_farm


@pytest.fixture
def url(postgres_server: Any) -> Iterator[str]:
    with postgres_server.database() as address:
        yield address


@pytest.fixture
async def farm(url: str, tmp_path: Path) -> AsyncIterator[Farm]:
    async with open_farm(url, tmp_path) as opened:
        yield opened
