"""Finding a passage in which several spools are not silent."""

import numpy as np
import pytest

from bot.audio.spool import SAMPLE_RATE
from tests.support import audio_files


def sounding(tmp_path, name, *seconds, length=20):
    """Write a spool that is silent except in these seconds."""
    sound = np.zeros((2, length * SAMPLE_RATE))
    for second in seconds:
        sound[:, second * SAMPLE_RATE : (second + 1) * SAMPLE_RATE] = 0.1
    return audio_files.write_spool(tmp_path / name, sound)


async def test_a_passage_is_where_all_spools_sound(tools, tmp_path):
    band = sounding(tmp_path, "band.f32", *range(20))
    voice = sounding(tmp_path, "voice.f32", 12, 13)
    start = await tools.passage([band, voice], frames=5 * SAMPLE_RATE)
    assert start <= 12 * SAMPLE_RATE
    assert start + 5 * SAMPLE_RATE >= 14 * SAMPLE_RATE


async def test_a_silent_spool_does_not_decide(tools, tmp_path):
    band = sounding(tmp_path, "band.f32", 14)
    silence = sounding(tmp_path, "silence.f32")
    start = await tools.passage([silence, band], frames=5 * SAMPLE_RATE)
    assert 10 * SAMPLE_RATE <= start <= 14 * SAMPLE_RATE


@pytest.mark.parametrize("length", [1, 4])
async def test_a_short_song_is_one_passage(tools, tmp_path, length):
    band = sounding(tmp_path, "band.f32", 0, length=length)
    assert await tools.passage([band, band], frames=5 * SAMPLE_RATE) == 0
