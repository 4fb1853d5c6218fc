import numpy as np
import pytest

from bench import analysis
from tests.support import beats, synthetic_songs
from tests.support.synthetic_songs import Style


def test_a_seed_always_gives_the_same_songs():
    (first, *_), (again, *_) = (synthetic_songs.songs(7, seconds=3.0) for _ in range(2))
    assert first == again
    made, made_again = synthetic_songs.make(first), synthetic_songs.make(again)
    for stem, wave in made.stems.items():
        assert np.array_equal(wave, made_again.stems[stem])
    assert np.array_equal(made.soiled().mixed(), made_again.soiled().mixed())


def test_a_set_of_songs_has_every_key_style_and_tempo():
    truths = synthetic_songs.songs(1)
    assert len({truth.key for truth in truths}) == 24
    assert {truth.style for truth in truths} == set(Style)
    bpms = sorted(truth.bpm for truth in truths)
    assert (bpms[0], bpms[-1]) == (60, 180)
    assert np.diff(bpms) == pytest.approx(np.full(59, 120 / 59))
    assert sum(truth.swing > 0 for truth in truths) == 12
    assert sum(truth.drift != 0 for truth in truths) == 9


def test_beats_are_judged_by_how_many_are_found():
    true = np.arange(0, 30, 0.5)
    assert beats.f(true + 0.06, true) == 1
    assert beats.f(true + 0.08, true) == 0
    assert beats.f(true[::2], true) == pytest.approx(2 / 3)
    assert beats.octave_tolerant_f(true[::2], true) > 0.99
    assert beats.octave_tolerant_f(true + 0.25, true) < 0.7


def test_a_figure_that_misses_its_limit_is_told():
    most = analysis.Row(name="a", measured=5.1, limit=5, is_most=True)
    least = analysis.Row(name="b", measured=0.95, limit=0.94, librosa=0.9)
    assert (most.is_kept, least.is_kept) == (False, True)
    assert least.cells == ("b", "0.95", "at least 0.94", "0.9")
