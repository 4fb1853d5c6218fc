import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import discord
import pytest

from sandbox.client import SandboxClient
from sandbox.server import DEFAULT_TOKEN, Sandbox
from tests.sandbox.jukebox import Jukebox


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
async def connected(sandbox: Sandbox) -> AsyncIterator[Jukebox]:
    discord_base = discord.http.Route.BASE
    discord.http.Route.BASE = sandbox.api_base
    bot = Jukebox()
    await bot.login(DEFAULT_TOKEN)
    running = asyncio.create_task(bot.connect())
    try:
        async with asyncio.timeout(5):
            await bot.wait_until_ready()
        yield bot
    finally:
        await bot.close()
        await running
        discord.http.Route.BASE = discord_base


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[Jukebox]:
    async with connected(sandbox) as running:
        yield running


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "Neon Rain.mp3"
    path.write_bytes(b"\xff\xfb" * 500)
    return path
