"""A stem is collected with audio children, as in the unit tests without them."""

from collections.abc import AsyncIterator

import pytest

from bot.audio.tools import AudioTools
from tests.unit.jobs.test_collect import (  # noqa: F401
    opened,
    song,
    stems,
    test_a_voice_that_came_late_and_quiet_is_taken_out_of_the_song,
)


@pytest.fixture
async def audio() -> AsyncIterator[AudioTools]:
    async with AudioTools() as tools:
        yield tools
