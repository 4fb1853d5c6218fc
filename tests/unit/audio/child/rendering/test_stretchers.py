import sys

import numpy as np
import pytest

from bot.audio.child.rendering.stretchers import Blocks, require_library, stretcher
from bot.audio.spool import SAMPLE_RATE
from bot.domain.errors import Reason, Rejected

BURST_EVERY_S = 0.3
BURSTS = 8


def bursts(of=lambda random, time: random.normal(0, 0.3, len(time))):
    """Noise that begins suddenly and decays, as of a drum or a consonant."""
    random = np.random.default_rng(1)
    time = np.arange(round(BURST_EVERY_S * SAMPLE_RATE)) / SAMPLE_RATE
    each = [of(random, time) * np.exp(-time * 25) for _ in range(BURSTS)]
    return np.repeat(np.concatenate(each)[:, np.newaxis], 2, axis=1).astype(np.float32)


def attack(sound, near):
    """Return where the loudness near a position first reaches half of its peak."""
    start = round(near) - SAMPLE_RATE // 20
    power = np.square(np.diff(sound[start : start + SAMPLE_RATE // 10, 0]))
    loudness = np.convolve(power, np.hanning(SAMPLE_RATE // 250), "same")
    return start + int((loudness >= loudness.max() / 2).argmax())


def worst_shift_ms(sound, made, factor):
    ideal = np.arange(1, BURSTS - 1) * BURST_EVERY_S * SAMPLE_RATE
    shifts = [(attack(made, at / factor) - at / factor) - (attack(sound, at) - at) for at in ideal]
    return np.abs(shifts).max() / SAMPLE_RATE * 1000


def level_db(sound, hz):
    """Return the level of a tone, away from the ends."""
    middle = sound[SAMPLE_RATE // 4 : -SAMPLE_RATE // 4, 0]
    time = np.arange(len(middle)) / SAMPLE_RATE
    wave = np.exp(-2j * np.pi * hz * time) * np.hanning(len(middle))
    return 20 * np.log10(2 * abs(np.vdot(wave.conj(), middle)) / np.hanning(len(middle)).sum())


@pytest.mark.parametrize("factor", [0.5, 0.63, 0.75, 0.84, 1.25])
@pytest.mark.parametrize("blocks", [*Blocks])
def test_noisy_attacks_are_not_late_at_a_strong_stretch(factor, blocks):
    sound = bursts()
    made = stretcher(factor, blocks).stretch(sound)
    assert worst_shift_ms(sound, made, factor) <= 0.8


def test_the_first_milliseconds_of_an_attack_are_not_stretched():
    sound = bursts()
    made = stretcher(0.5, Blocks.TONES).stretch(sound)
    for at in np.arange(1, BURSTS - 1) * round(BURST_EVERY_S * SAMPLE_RATE):
        head, copied = np.diff(sound[at:, 0])[:120], np.diff(made[2 * at :, 0])[:120]
        likeness = [
            np.vdot(head[20:-20], copied[20 + late : 100 + late])
            / (np.linalg.norm(head[20:-20]) * np.linalg.norm(copied[20 + late : 100 + late]))
            for late in range(-20, 21)
        ]
        assert max(likeness) >= 0.9


@pytest.mark.parametrize("blocks", [*Blocks])
def test_tones_of_both_bands_keep_pitch_and_loudness(blocks):
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    tones_hz = (150, 1_000, 3_000, 8_000)
    wave = np.sum([0.1 * np.sin(2 * np.pi * hz * time) for hz in tones_hz], axis=0)
    sound = np.repeat(wave[:, np.newaxis], 2, axis=1).astype(np.float32)
    made = stretcher(0.75, blocks).stretch(sound)
    for hz in tones_hz:
        assert level_db(made, hz) == pytest.approx(level_db(sound, hz), abs=0.5)


@pytest.mark.parametrize("blocks", [*Blocks])
def test_close_partials_of_a_cymbal_stay_apart_after_its_attack(blocks):
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    partials_hz = (5_000, 5_300, 5_590, 5_910, 6_200)
    wave = np.sum([0.1 * np.sin(2 * np.pi * hz * time + hz) for hz in partials_hz], axis=0)
    wave[: SAMPLE_RATE // 2] = 0
    sound = np.repeat(wave[:, np.newaxis], 2, axis=1).astype(np.float32)
    made = stretcher(0.5, blocks).stretch(sound)
    ringing, rung = sound[SAMPLE_RATE * 3 // 4 :], made[SAMPLE_RATE * 3 // 2 :]
    for hz in partials_hz:
        assert level_db(rung, hz) == pytest.approx(level_db(ringing, hz), abs=3)


def test_a_kick_keeps_its_loudness_and_length():
    sound = bursts(lambda _, time: 0.7 * np.sin(2 * np.pi * 60 * time))
    made = stretcher(0.75, Blocks.ATTACKS).stretch(sound)
    assert len(made) == round(len(sound) / 0.75)
    assert 20 * np.log10(np.abs(made).max() / np.abs(sound).max()) == pytest.approx(0, abs=1.5)


def test_a_preview_has_the_low_frequencies_where_the_stretch_has_them():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.repeat((0.3 * np.sin(2 * np.pi * 220 * time))[:, np.newaxis], 2, axis=1)
    made = stretcher(0.6, Blocks.TONES)
    one, other = made.stretch(tone.astype(np.float32)), made.preview(tone.astype(np.float32))
    assert np.vdot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)) >= 0.99


def test_the_library_may_be_missing(monkeypatch):
    require_library()
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    with pytest.raises(Rejected) as refusal:
        require_library()
    assert refusal.value.problem.reason is Reason.NO_TIME_STRETCH
