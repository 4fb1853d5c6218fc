import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from sandbox.client import SandboxClient
from sandbox.server import DEFAULT_TOKEN, Sandbox
from tests.integration.sandbox.library_bot import LibraryBot
from tests.integration.sandbox.raw_bot import RawBot


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def ada(sandbox: Sandbox) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(sandbox.base_url) as client:
        yield client


@pytest.fixture
async def ben(sandbox: Sandbox) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(sandbox.base_url, person="Ben") as client:
        yield client


@asynccontextmanager
async def connected(sandbox: Sandbox) -> AsyncIterator[LibraryBot]:
    discord_base, discord_gateway = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE = sandbox.api_base
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(sandbox.gateway.address)
    bot = LibraryBot()
    await bot.login(DEFAULT_TOKEN)
    running = asyncio.create_task(bot.connect())
    try:
        async with asyncio.timeout(30):
            await bot.wait_until_ready()
        yield bot
    finally:
        await bot.close()
        await running
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = discord_base, discord_gateway


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[LibraryBot]:
    async with connected(sandbox) as running:
        yield running


@pytest.fixture
async def raw_bot(sandbox: Sandbox) -> AsyncIterator[RawBot]:
    sandbox.limits.is_enabled = False
    async with RawBot(sandbox) as running:
        yield running


@pytest.fixture
def karaoke(sandbox: Sandbox) -> str:
    channels = sandbox.world.channels.values()
    found = next(channel for channel in channels if channel.name == "karaoke")
    return f"/channels/{found.id}"


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "Neon Rain.mp3"
    path.write_bytes(b"\xff\xfb" * 500)
    return path
