"""Fixtures with real bot processes in sandboxes. Tests that do not interfere share one bot."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.song import write_song
from tests.e2e.bot_harness import BotHarness, open_bot_harness
from tests.e2e.songs import write_repeated

SONG_S = 4.0
SETTINGS = {
    "STEMCORD_QUOTA_MINUTES": "3",
    "STEMCORD_MAX_ACTIVE_JOBS": "3",
    "STEMCORD_MAX_DURATION_MINUTES": "4",
    "STEMCORD_MAX_FILE_MIB": "16",
    "STEMCORD_LOCAL_MODEL": "spleeter",
    "STEMCORD_LOG_LEVEL": "INFO",
}


def model_file() -> Path:
    """Return the path of the model that the tests use."""
    home = os.environ.get("STEMCORD_DATA_DIR") or "data"
    folder = os.environ.get("STEMCORD_MODELS_DIR") or str(Path(home) / "models")
    return Path(folder) / "spleeter2.onnx"


def pytest_runtest_setup(item: pytest.Item) -> None:
    # A bot whose only provider is the engine does not start without its model.
    if item.get_closest_marker("e2e") and not model_file().exists():
        pytest.skip(f"there is no model at {model_file()}; `python -m bot models` fetches it")


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short song as WAV."""
    return write_song(tmp_path_factory.mktemp("songs") / "Neon Rain.wav", seconds=SONG_S)


@pytest.fixture(scope="session")
def long_song(song: Path) -> Path:
    """A song that takes a few seconds to separate."""
    return write_repeated(song.with_name("Neon Flood.wav"), song, times=15)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def harness(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BotHarness]:
    """A shared harness. Tests add their own users and leave the bot running."""
    async with open_bot_harness(tmp_path_factory.mktemp("shared"), SETTINGS) as opened:
        yield opened
        assert await opened.bot.stop() == 0
