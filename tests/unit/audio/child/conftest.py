import pytest

from tests.support.sound import AudioHere


@pytest.fixture
async def tools():
    async with AudioHere() as tools:
        yield tools
