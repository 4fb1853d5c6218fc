from pathlib import Path

import numpy as np
import pytest

from bot.audio.spool import SAMPLE_RATE, is_silent
from tests.support import audio_files


@pytest.mark.parametrize(("level", "silent"), [(0.0, True), (0.0005, True), (0.002, False)])
def test_a_quiet_end_is_silent(tmp_path: Path, level: float, silent: bool) -> None:
    end = audio_files.tone(2.0, level=level)
    song = audio_files.write_spool(
        tmp_path / "song.f32", np.concatenate([audio_files.tone(1.0), end], axis=1)
    )
    assert is_silent(song, SAMPLE_RATE) is silent
    assert not is_silent(song, SAMPLE_RATE - 100)


def test_sound_at_the_very_end_is_found(tmp_path: Path) -> None:
    sound = np.zeros((2, SAMPLE_RATE), np.float32)
    sound[1, -1] = -0.5
    assert not is_silent(audio_files.write_spool(tmp_path / "song.f32", sound), 0)


def test_behind_the_end_is_silence(tmp_path: Path) -> None:
    song = audio_files.write_spool(tmp_path / "song.f32", audio_files.tone(1.0))
    assert is_silent(song, 2 * SAMPLE_RATE)
