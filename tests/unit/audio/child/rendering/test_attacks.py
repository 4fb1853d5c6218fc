import numpy as np
import pytest

from bot.audio.child.rendering.attacks import attacks_in, onsets_of
from bot.audio.spool import SAMPLE_RATE

FINE = 16


def sound_with(*onsets, seconds=1.0, level=0.3):
    """Noise that begins suddenly at these frames and decays."""
    random = np.random.default_rng(3)
    sound = np.zeros(round(seconds * SAMPLE_RATE))
    for onset in onsets:
        time = np.arange(len(sound) - onset) / SAMPLE_RATE
        sound[onset:] += random.normal(0, level, len(time)) * np.exp(-40 * time)
    return np.repeat(sound[:, np.newaxis], 2, axis=1).astype(np.float32)


@pytest.mark.parametrize("onset", [10_000, 10_017, 10_063, 20_480])
def test_the_onset_of_an_attack_is_found_to_a_fraction_of_a_millisecond(onset):
    sound = sound_with(onset)
    (found,) = onsets_of(attacks_in(sound), sound)
    assert found == pytest.approx(onset, abs=FINE)


def test_every_attack_has_one_onset():
    begun = [9_000, 18_000, 27_000]
    sound = sound_with(*begun)
    assert onsets_of(attacks_in(sound), sound) == pytest.approx(begun, abs=FINE)


def test_an_attack_in_the_last_moment_is_found():
    sound = sound_with(SAMPLE_RATE - 130)
    (found,) = onsets_of(attacks_in(sound), sound)
    assert found == pytest.approx(SAMPLE_RATE - 130, abs=FINE)


@pytest.mark.parametrize("frames", [0, 63, 1_000, SAMPLE_RATE])
def test_silence_has_no_attacks(frames):
    silence = np.zeros((frames, 2), np.float32)
    assert onsets_of(attacks_in(silence), silence) == []


def test_a_held_tone_has_no_attacks_once_it_sounds():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.repeat(np.sin(2 * np.pi * 5_000 * time)[:, np.newaxis], 2, axis=1)
    assert len(attacks_in(tone.astype(np.float32))) == 0


def test_what_is_far_below_the_loudest_moment_is_no_attack():
    sound = sound_with(10_000) + sound_with(30_000, level=0.003)
    assert onsets_of(attacks_in(sound), sound) == pytest.approx([10_000], abs=FINE)
