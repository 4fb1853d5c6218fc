import numpy as np
import pytest

from bot.audio.child.analysis import key_finding
from bot.audio.child.analysis.pitch_content import BINS, LOWEST_HZ
from bot.domain.analysis import PITCH_CLASSES, Certainty, Key

_MAJOR = {0: 4, 2: 2, 4: 3, 5: 2, 7: 4, 9: 2, 11: 1}
_MINOR = {0: 4, 2: 2, 3: 3, 5: 2, 7: 4, 8: 1, 10: 1}
_VOID = np.zeros(BINS)


def notes(classes, *, cents=0.0):
    """A histogram of notes in two octaves, with the given counts from C up."""
    histogram = np.zeros(BINS)
    for octave in (2, 3):
        for pitch_class, count in classes.items():
            hertz = 440 * 2 ** (octave - 3 + (pitch_class - 9) / 12 + cents / 1200)
            histogram[int(1200 * np.log2(hertz / LOWEST_HZ))] += count
    return histogram


def moved(classes, tonic):
    return {(each + tonic) % PITCH_CLASSES: count for each, count in classes.items()}


@pytest.mark.parametrize("tonic", range(PITCH_CLASSES))
@pytest.mark.parametrize("is_minor", [False, True])
def test_a_scale_with_its_usual_weights_is_its_key(tonic, is_minor):
    histogram = notes(moved(_MINOR if is_minor else _MAJOR, tonic))
    estimate = key_finding.key(histogram, _VOID, 0.0)
    assert estimate
    assert estimate.key == Key(tonic=tonic, is_minor=is_minor)


@pytest.mark.parametrize("cents", [-48.0, -30.0, -1.0, 0.0, 17.0, 49.0])
def test_a_tuning_is_measured_to_a_cent_and_does_not_change_the_key(cents):
    histogram = notes(_MAJOR, cents=cents)
    tuning = key_finding.tuning(histogram)
    assert tuning.is_clear
    assert tuning.cents == pytest.approx(cents, abs=1)
    estimate = key_finding.key(histogram, _VOID, tuning.cents)
    assert estimate
    assert estimate.key == Key(tonic=0, is_minor=False)


def test_pitches_anywhere_have_no_tuning():
    assert not key_finding.tuning(np.ones(BINS)).is_clear
    assert not key_finding.tuning(_VOID).is_clear


def test_all_notes_alike_have_no_key():
    assert key_finding.key(notes(dict.fromkeys(range(12), 1)), _VOID, 0.0) is None
    assert key_finding.key(_VOID, _VOID, 0.0) is None


def test_notes_that_two_relatives_share_are_either():
    shared = {0: 4, 2: 2, 4: 4, 5: 2, 7: 3, 9: 4, 11: 2}
    estimate = key_finding.key(notes(shared), _VOID, 0.0)
    assert estimate
    assert estimate.relative
    keys = {estimate.key.tag, estimate.relative.tag}
    assert (keys, estimate.certainty) == ({"C", "Am"}, Certainty.PERHAPS)


def test_overtones_do_not_pull_the_tuning_down():
    histogram = np.zeros(BINS)
    for harmonic in range(1, 9):
        cents = 1200 * np.log2(220 * harmonic / LOWEST_HZ)
        histogram[int(cents)] += 1 / harmonic
    assert key_finding.tuning(histogram).cents == pytest.approx(0, abs=1.5)
