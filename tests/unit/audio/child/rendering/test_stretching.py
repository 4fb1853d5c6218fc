import numpy as np
import pytest

from bot.audio.child.rendering import stretching
from bot.audio.child.rendering.sample_source import Pieces
from bot.audio.child.rendering.stretchers import Blocks
from bot.audio.child.rendering.stretching import stretched
from bot.audio.spool import SAMPLE_RATE
from tests.support import audio_files

SEGMENT_S = 3


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
