"""Generates a short song: drums, bass, chords and a vowel-like voice."""

import wave
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float64]

RATE: Final = 44_100
BEAT_S: Final = 0.5
_CHORDS: Final = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))
"""Chords: A minor, F, C and G, four beats each."""
_MELODY: Final = (69, 72, 71, 69, 65, 69, 67, 65, 64, 67, 72, 71, 67, 71, 74, 71)
_FORMANTS: Final = ((800, 1.0), (1150, 0.6), (2900, 0.25), (3900, 0.1))
"""Formants of the vowel "a": frequencies in Hz and weights."""


def write_song(path: Path, *, seconds: float = 24.0, seed: int = 7) -> Path:
    """Write the song as a 16-bit stereo WAV file. The same seed gives the same song."""
    random = np.random.default_rng(seed)
    beats = int(seconds / BEAT_S)
    song = np.zeros((2, int(seconds * RATE) + RATE))
    for beat in range(beats):
        chord = _CHORDS[beat // 4 % len(_CHORDS)]
        _add(song, beat, _kick(), pan=0.5)
        _add(song, beat + 0.5, _hat(random), pan=0.7)
        if beat % 2:
            _add(song, beat, _snare(random), pan=0.45)
        _add(song, beat, 0.30 * _pluck(chord[0] - 24, BEAT_S * 0.9), pan=0.5)
        for note, pan in zip(chord, (0.15, 0.5, 0.85), strict=True):
            _add(song, beat, 0.07 * _pluck(note, BEAT_S * 1.8), pan=pan)
        if beat >= 4:
            _add(song, beat, 0.28 * _voice(_MELODY[beat % len(_MELODY)], BEAT_S * 0.95), pan=0.5)
    song = song[:, : int(seconds * RATE)]
    song *= 0.85 / np.abs(song).max()
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((song.T * 32767).astype("<i2").tobytes())
    return path


def _add(song: Audio, beat: float, sound: Audio, *, pan: float) -> None:
    start = int(beat * BEAT_S * RATE)
    end = min(song.shape[1], start + len(sound))
    for channel, gain in enumerate((np.cos(pan * np.pi / 2), np.sin(pan * np.pi / 2))):
        song[channel, start:end] += gain * sound[: end - start]


def _times(seconds: float) -> Audio:
    return np.arange(int(seconds * RATE)) / RATE


def _frequency(note: int) -> float:
    return float(440.0 * 2.0 ** ((note - 69) / 12))


def _kick() -> Audio:
    t = _times(0.25)
    sweep = 50 * t + 6 * (1 - np.exp(-t * 30))
    return np.asarray(0.8 * np.sin(2 * np.pi * sweep) * np.exp(-t * 14))


def _snare(random: np.random.Generator) -> Audio:
    t = _times(0.2)
    rattle = 0.3 * random.standard_normal(len(t))
    return np.asarray((rattle + 0.3 * np.sin(2 * np.pi * 190 * t)) * np.exp(-t * 22))


def _hat(random: np.random.Generator) -> Audio:
    t = _times(0.06)
    return np.asarray(0.15 * np.diff(random.standard_normal(len(t)), prepend=0) * np.exp(-t * 60))


def _pluck(note: int, seconds: float) -> Audio:
    t = _times(seconds)
    tone = sum(np.sin(2 * np.pi * _frequency(note) * k * t) / k**1.5 for k in range(1, 7))
    return np.asarray(tone * np.exp(-t * 3) * np.minimum(1, t * 200))


def _voice(note: int, seconds: float) -> Audio:
    t = _times(seconds)
    vibrato = 1 + 0.006 * np.sin(2 * np.pi * 5.5 * t)
    phase = 2 * np.pi * np.cumsum(_frequency(note) * vibrato) / RATE
    sound = np.zeros_like(t)
    for k in range(1, 24):
        frequency = _frequency(note) * k
        weight = sum(
            gain * np.exp(-(((frequency - centre) / 180) ** 2)) for centre, gain in _FORMANTS
        )
        sound += (0.15 / k + weight) * np.sin(k * phase)
    envelope = np.minimum(1, t * 25) * np.minimum(1, (seconds - t) * 15)
    return np.asarray(0.5 * sound * envelope)
