import numpy as np
import pytest

from bot.audio.child.rendering import stretching
from bot.audio.child.rendering.sample_source import Pieces
from bot.audio.child.rendering.stretchers import Blocks
from bot.audio.child.rendering.stretching import stretched
from bot.audio.spool import SAMPLE_RATE
from tests.support import audio_files

SEGMENT_S = 1


@pytest.mark.parametrize("factor", [0.8, 1.1, 1.5])
@pytest.mark.parametrize("frames_beyond", [1, 500, 3000])
def test_a_song_a_moment_longer_than_a_segment_keeps_its_length(monkeypatch, factor, frames_beyond):
    monkeypatch.setattr(stretching, "_SEGMENT_FRAMES", SEGMENT_S * SAMPLE_RATE)
    seconds = SEGMENT_S * min(1.0, factor)
    frames = round(seconds * SAMPLE_RATE) + frames_beyond
    sound = audio_files.tone(seconds + 1, level=0.3, hz=220)[:, :frames]
    # It fades out, so that the quietest place for a cut is right before the end.
    faded = (sound * np.linspace(1, 0, frames)).T.astype(np.float32)
    pieces = stretched(Pieces([faded]), frames, factor=factor, by=Blocks.TONES)
    assert sum(map(len, pieces)) == round(frames / factor)


@pytest.mark.parametrize("factor", [0.9, 1.2])
def test_a_held_note_keeps_its_loudness_over_every_seam(monkeypatch, factor):
    monkeypatch.setattr(stretching, "_SEGMENT_FRAMES", 2 * SAMPLE_RATE)
    note = audio_files.tone(5, level=0.4, hz=311).T.astype(np.float32)
    pieces = stretched(Pieces([note]), len(note), factor=factor, by=Blocks.TONES)
    sound = np.concatenate(list(pieces))[SAMPLE_RATE:-SAMPLE_RATE, 0]
    power = np.cumsum(np.square(sound, dtype=np.float64))
    loudness = np.sqrt((power[882:] - power[:-882]) / 882)
    assert np.all(np.abs(20 * np.log10(loudness / np.median(loudness))) <= 0.5)
