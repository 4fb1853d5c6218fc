from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import Evening, an_evening


@pytest.fixture
async def evening(tmp_path: Path) -> AsyncIterator[Evening]:
    async with an_evening(tmp_path) as evening, evening.on():
        yield evening


@pytest.fixture
async def ada(evening: Evening) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(evening.sandbox.base_url) as client:
        yield client


@pytest.fixture
async def ben(evening: Evening) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(evening.sandbox.base_url, person="Ben") as client:
        yield client


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "Neon Rain.mp3"
    path.write_bytes(b"\xff\xfb" * 500)
    return path
