from pathlib import Path

import pytest

from bot.audio.analysis_task import AnalyseTask, Listened, role_of
from bot.audio.child.analysis.analyse import analyse
from tests.support import synthetic_songs
from tests.support.synthetic_songs import Wave


@pytest.fixture
def heard(tmp_path):
    """Write waves as masters, by stem, and analyse them in this process.

    A wave that is used for several stems, or analysed again, is written only once.
    """
    written: list[tuple[Wave, Path]] = []

    def master_of(wave):
        for known, path in written:
            if known is wave:
                return path
        path = synthetic_songs.write(wave, tmp_path / f"{len(written)}.flac")
        written.append((wave, path))
        return path

    def run(stems):
        parts = [Listened(master=master_of(wave), role=role_of(s)) for s, wave in stems.items()]
        return analyse(AnalyseTask(parts=tuple(parts)))

    return run
