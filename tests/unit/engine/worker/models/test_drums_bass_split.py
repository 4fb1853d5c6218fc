import numpy as np
import pytest
from scipy import ndimage

from bot.audio.spool import SAMPLE_RATE
from bot.domain.recipes import Stem
from bot.engine.worker.models import drums_bass_split
from bot.engine.worker.models.drums_bass_split import BLOCK, BandSplit
from bot.engine.worker.stft import HOP
from tests.unit.engine import nets

EDGES = [1, 4095, 4096, (BLOCK - 3) * HOP + 1]


def power(samples):
    return float(np.square(samples).sum())


@pytest.mark.parametrize("frames", EDGES)
def test_its_stems_are_as_long_as_the_song_and_add_up_to_it(tmp_path, frames):
    samples = nets.song(frames)
    stems = nets.run(BandSplit(threads=1), tmp_path / "song.f32", samples)
    assert {stem.shape for stem in stems.values()} == {samples.shape}
    np.testing.assert_allclose(sum(stems.values()), samples, atol=1e-6)


def test_blocks_leave_no_trace(tmp_path):
    samples = nets.song(3 * BLOCK * HOP // 2)
    half = BLOCK // 2 * HOP
    whole = nets.run(BandSplit(threads=1), tmp_path / "song.f32", samples)
    # Cutting off the start of the song moves the block boundaries.
    later = nets.run(BandSplit(threads=1), tmp_path / "later.f32", samples[:, half:])
    settled = 40 * HOP
    for stem, audio in whole.items():
        np.testing.assert_allclose(
            audio[:, half + settled :], later[stem][:, settled:], atol=1e-5, err_msg=stem
        )


def test_tells_strokes_low_notes_and_high_notes_apart(tmp_path):
    time = np.arange(6 * SAMPLE_RATE) / SAMPLE_RATE
    low = np.tile(0.3 * np.sin(2 * np.pi * 82 * time), (2, 1))
    high = np.tile(0.1 * np.sin(2 * np.pi * 1400 * time), (2, 1))
    strokes = np.zeros_like(low)
    strokes[:, :: SAMPLE_RATE // 2] = 1.0
    stems = nets.run(
        BandSplit(threads=1), tmp_path / "song.f32", (low + high + strokes).astype("f4")
    )
    inner = slice(SAMPLE_RATE, -SAMPLE_RATE)
    for stem, part in ((Stem.BASS, low), (Stem.OTHER, high), (Stem.DRUMS, strokes)):
        missed = power((stems[stem] - part)[:, inner])
        assert missed < 0.2 * power(part[:, inner]), stem


def test_a_bass_hard_on_one_side_is_no_bass(tmp_path):
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    left = np.stack([0.3 * np.sin(2 * np.pi * 82 * time), 0 * time]).astype(np.float32)
    stems = nets.run(BandSplit(threads=1), tmp_path / "song.f32", left)
    assert power(stems[Stem.BASS]) < 0.01 * power(stems[Stem.OTHER])


@pytest.mark.parametrize("size", [3, 17])
def test_the_fast_median_is_the_plain_one(size):
    rows = np.random.default_rng(3).random((40, 60), np.float32)
    plain = ndimage.median_filter(rows, size=(1, size), mode="nearest")
    np.testing.assert_array_equal(drums_bass_split._row_median(rows, size), plain)
