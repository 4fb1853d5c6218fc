import numpy as np
import pytest

from bot.audio.child.analysis import rhythm
from bot.audio.child.analysis.onset_strength import FRAMES_A_SECOND, REGISTERS
from bot.audio.child.analysis.pitch_content import CLASSES
from tests.support.beats import times

NO_HARMONY = np.zeros((0, CLASSES), np.float32)


def strength(onsets_s, *, seconds=40.0):
    """Onsets like a drum's: each lasts three frames in all registers."""
    frames = np.zeros((REGISTERS, int(seconds * FRAMES_A_SECOND)), np.float32)
    at = np.rint(np.asarray(onsets_s) * FRAMES_A_SECOND).astype(int)
    for offset, share in ((-1, 0.5), (0, 1.0), (1, 0.5)):
        frames[:, np.clip(at + offset, 0, frames.shape[1] - 1)] += share
    return frames


def heard(onsets_s, **options):
    signal = rhythm.Signal(strength=strength(onsets_s, **options), weights=rhythm.DRUMS)
    return rhythm.rhythm([signal], NO_HARMONY)


def played(bpm, *, jitter=0.0, seconds=40.0):
    beats = np.arange(0.3, seconds - 0.1, 60 / bpm)
    return beats + np.random.default_rng(0).normal(0, jitter * 60 / bpm, len(beats))


@pytest.mark.parametrize("bpm", [83.0, 100.0, 128.5])
def test_even_beats_lie_on_a_grid(bpm):
    beats = played(bpm)
    found = heard(beats)
    assert found.tempo.bpm == pytest.approx(bpm, rel=0.001)
    assert found.grid.is_steady
    assert times(found.grid)[::8][:5] == pytest.approx(beats[::8][:5], abs=0.015)


def test_beats_that_hurry_are_followed():
    bpm = np.linspace(98, 102, 64)
    beats = 0.3 + np.concatenate([[0], np.cumsum(60 / bpm)])
    found = heard(beats)
    assert np.abs(times(found.grid)[: len(beats)] - beats).max() < 0.03
    assert max(map(abs, found.grid.deviations_ms)) > 50


def test_fast_beats_may_be_half_as_many():
    tempo = heard(played(180)).tempo
    assert sorted([tempo.bpm, tempo.octave_bpm]) == pytest.approx([90, 180], rel=0.001)


def test_loose_beats_have_no_sure_octave():
    tempo = heard(played(100, jitter=0.05)).tempo
    assert tempo.octave_bpm in {tempo.bpm * 2, tempo.bpm / 2}


def test_onsets_anywhere_are_no_beat():
    onsets = np.sort(np.random.default_rng(0).uniform(0, 40, 90))
    assert heard(onsets) is None


def test_a_few_seconds_are_too_short():
    assert heard(played(120, seconds=5), seconds=5) is None


def test_beats_begin_and_end_with_the_sound():
    beats = played(100)
    beats = beats[(beats > 8) & (beats < 30)]
    found = times(heard(beats).grid)
    assert (found[0], found[-1]) == pytest.approx((beats[0], beats[-1]), abs=0.02)


def test_beats_go_on_through_a_break():
    beats = played(100)
    found = times(heard(beats[(beats < 15) | (beats > 20)]).grid)
    assert len(found) == len(beats)


def test_silence_has_no_beat():
    assert heard(()) is None


def test_bars_begin_at_the_low_drum():
    beats = played(100)
    frames = strength(beats)
    frames[0] = strength(beats[2::4])[0]
    found = rhythm.rhythm([rhythm.Signal(strength=frames, weights=rhythm.DRUMS)], NO_HARMONY)
    assert found
    bar_s = times(found.grid)[found.grid.downbeat]
    assert np.abs(beats[2::4] - bar_s).min() < 0.03
