from pathlib import Path

import pytest

from sandbox.song import write_song
from tests.failover.street import SONG_S


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_song(tmp_path_factory.mktemp("songs") / "Neon Rain.wav", seconds=SONG_S)
