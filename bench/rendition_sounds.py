"""Sounds whose pitch and attacks are known, as (frames, 2) arrays."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bot.audio.spool import SAMPLE_RATE

Sound = NDArray[np.float32]

ATTACK_EVERY_S = 0.5
_HARMONICS = 19
_WINDOW = round(0.1 * SAMPLE_RATE)


def sounds(seconds: float, pitches_hz: Mapping[str, float]) -> dict[str, Sound]:
    """Return sustained sounds with these pitches: a triad, a voice that swells, and a bass."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    chord = sum(_tone(time, pitches_hz["chord"] * ratio, 4) for ratio in (1, 1.26, 1.498))
    voice = _tone(time, pitches_hz["voice"], 8) * (0.6 + 0.4 * np.sin(np.pi * time))
    bass = _tone(time, pitches_hz["bass"], 3)
    return {
        name: _stereo(0.25 * wave / np.abs(wave).max())
        for name, wave in (("chord", chord), ("voice", voice), ("bass", bass))
    }


def attacks(seconds: float) -> Sound:
    """Return plucked notes of different pitches.

    They have harmonics, like those of a string. The attack of a low sine alone can't be placed to a
    millisecond: its envelope follows its half-waves, which last more than two.
    """

    def plucked(n: int, time: NDArray[np.float64]) -> NDArray[np.float64]:
        hz = 110 * 2 ** (n * 5 % 12 / 12)
        return 0.5 * np.sum(
            [np.sin(2 * np.pi * hz * k * time + k) / k for k in range(1, _HARMONICS + 1)], axis=0
        )

    return _struck(seconds, plucked)


def bursts(seconds: float) -> Sound:
    """Return bursts of noise, as of consonants and of drums in an instrumental."""
    random = np.random.default_rng(2)
    return _struck(seconds, lambda _, time: random.normal(0, 0.3, len(time)))


def drums(seconds: float) -> Sound:
    """Return bursts of noise over kicks."""
    random = np.random.default_rng(1)
    return _struck(
        seconds,
        lambda _, time: random.normal(0, 0.3, len(time)) + np.sin(2 * np.pi * 60 * time),
    )


def song_of(made: Mapping[str, Sound]) -> Sound:
    """Return a song of all these sounds whose peak is at full scale."""
    total = np.tanh(2 * np.sum(list(made.values()), axis=0))
    return (total / np.abs(total).max()).astype(np.float32)


def shifts_ms(original: Sound, made: Sound, speed_percent: int) -> tuple[float, float]:
    """Return the delays of attacks: their mean, and the largest absolute value.

    An attack is where the envelope of the higher frequencies first reaches half of its peak.
    """
    count = int(len(original) / SAMPLE_RATE / ATTACK_EVERY_S) - 2
    shifts = []
    for n in range(1, count):
        at = n * ATTACK_EVERY_S * SAMPLE_RATE
        there = at * 100 / speed_percent
        before = _attack(original, at) - at
        shifts.append((_attack(made, there) - there - before) / SAMPLE_RATE * 1000)
    return float(np.mean(shifts)), float(np.abs(shifts).max())


def _attack(sound: Sound, at: float) -> float:
    """Return the exact position of the attack that is expected at `at`."""
    start = max(0, round(at) - _WINDOW)
    around = sound[start : start + 2 * _WINDOW].sum(axis=1)
    envelope = signal.sosfiltfilt(_SMOOTH, np.square(np.diff(around, prepend=0.0)))
    at_half = int((envelope >= envelope.max() / 2).argmax())
    return start + at_half


_SMOOTH = signal.butter(2, 200, fs=SAMPLE_RATE, output="sos")


def _tone(time: NDArray[np.float64], hz: float, harmonics: int) -> NDArray[np.float64]:
    return np.sum([np.sin(2 * np.pi * hz * k * time) / k for k in range(1, harmonics + 1)], axis=0)


def _struck(
    seconds: float, sound_of: Callable[[int, NDArray[np.float64]], NDArray[np.float64]]
) -> Sound:
    """Repeat a sound with a sudden beginning and a decay."""
    every = round(ATTACK_EVERY_S * SAMPLE_RATE)
    time = np.arange(every) / SAMPLE_RATE
    count = round(seconds / ATTACK_EVERY_S)
    notes = [0.5 * sound_of(n, time) * np.exp(-time * 25) for n in range(count)]
    return _stereo(np.concatenate(notes))


def _stereo(wave: NDArray[np.float64]) -> Sound:
    return np.repeat(wave[:, np.newaxis], 2, axis=1).astype(np.float32)
