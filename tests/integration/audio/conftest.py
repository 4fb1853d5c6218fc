import pytest_asyncio

from bot.audio.tools import AudioTools


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tools():
    """Tools whose fork server, once started, serves one test after the other."""
    async with AudioTools() as tools:
        yield tools
