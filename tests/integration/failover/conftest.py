from pathlib import Path

import pytest

from sandbox.song import write_song
from tests.integration.failover.hosted_harness import SONG_S


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_song(tmp_path_factory.mktemp("songs") / "Neon Rain.wav", seconds=SONG_S)
