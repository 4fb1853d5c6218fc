from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot, open_live_bot
from tests.integration.conversations.open_bot import Open


@pytest.fixture
async def live_bot(tmp_path: Path) -> AsyncIterator[LiveBot]:
    async with open_live_bot(tmp_path) as live_bot, live_bot.on():
        yield live_bot


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:
        live_bot = await stack.enter_async_context(
            open_live_bot(tmp_path, public_url="https://stems.example.org")
        )
        await stack.enter_async_context(live_bot.on())
        found = Open(live_bot)
        await stack.enter_async_context(found.server)
        yield found


@pytest.fixture
async def ada(live_bot: LiveBot) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(live_bot.sandbox.base_url) as client:
        yield client


@pytest.fixture
async def ben(live_bot: LiveBot) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(live_bot.sandbox.base_url, person="Ben") as client:
        yield client


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "Neon Rain.mp3"
    path.write_bytes(b"\xff\xfb" * 500)
    return path
