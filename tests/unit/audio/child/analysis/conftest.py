import pytest

from bot.audio.analysis_task import AnalyseTask, Listened, role_of
from bot.audio.child.analysis.analyse import analyse
from tests.support import synthetic_songs


@pytest.fixture
def heard(tmp_path):
    """Write waves as masters, by stem, and analyse them in this process."""

    def run(stems):
        parts = [
            Listened(
                master=synthetic_songs.write(wave, tmp_path / f"{stem}.flac"), role=role_of(stem)
            )
            for stem, wave in stems.items()
        ]
        return analyse(AnalyseTask(parts=tuple(parts)))

    return run
