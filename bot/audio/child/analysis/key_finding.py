"""Estimates key and tuning from a histogram of pitches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.audio.child.analysis import key_profiles
from bot.audio.child.analysis.pitch_content import BINS, LOWEST_HZ, Histogram
from bot.audio.child.analysis.tempo import vertex
from bot.domain.analysis import PITCH_CLASSES, Certainty, Key, KeyEstimate

_A_CENTS = 1200 * np.log2(440 / LOWEST_HZ)
_A = 9
_CENTS = np.arange(BINS) + 0.5 - _A_CENTS
"""Each bin's pitch above A = 440 Hz."""

_KERNEL_CENTS = 8.0
"""Narrow enough to leave out the fifth and the seventh harmonic, 14 and 31 cents flat."""
_IN_TUNE = 1.5
"""The least clarity of a sound that has a tuning."""
_HARMONICS = (1, 2, 3, 4)
_HARMONIC_DECAY = 0.6
_BASS_WEIGHT = 0.15

_PERHAPS_MARGIN, _LIKELY_MARGIN = 0.05, 0.12
_LIKELY_MARGIN_OVER_RELATIVE = 0.22
"""The chords i, VI, III and VII of a minor key are also vi, IV, I and V of its relative."""
_FEWEST_AGREEING = 4
_LEAST_CORRELATION = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """A tuning; `clarity` is the ratio of pitches in tune to the average over all tunings."""

    cents: float
    clarity: float

    @property
    def is_clear(self) -> bool:
        """Whether the sound has notes."""
        return self.clarity >= _IN_TUNE


def tuning(histogram: Histogram) -> Tuning:
    """Return the deviation from A = 440 Hz that most notes share, from -50 to 50 cents."""
    by_cent = np.bincount(np.floor(_CENTS).astype(int) % 100, histogram, 100)
    distance = (np.arange(100) + 50) % 100 - 50
    kernel = np.exp(-0.5 * np.square(distance / _KERNEL_CENTS))
    smooth = np.fft.irfft(np.fft.rfft(by_cent) * np.fft.rfft(kernel), 100)
    top = int(smooth.argmax())
    cents = _CENTS[0] % 1 + top + vertex(smooth[top - 1], smooth[top], smooth[(top + 1) % 100])
    mean = float(smooth.mean())
    clarity = float(smooth[top]) / mean if mean > 0 else 0.0
    return Tuning(cents=(cents + 50) % 100 - 50, clarity=clarity)


def key(histogram: Histogram, bass: Histogram, tuning_cents: float) -> KeyEstimate | None:
    """Return the key of a song in this tuning, or None if the key is too uncertain."""
    classes = _normalised(_pitch_classes(histogram, tuning_cents, _HARMONICS))
    classes += _BASS_WEIGHT * _normalised(_pitch_classes(bass, tuning_cents, _HARMONICS[:1]))
    correlations = key_profiles.correlations(classes)
    means = correlations.mean(axis=0)
    best, second, third = np.argsort(-means)[:3].tolist()
    agreeing = int((correlations.argmax(axis=1) == best).sum())
    is_relative = second == _relative(best)
    margin = float(means[best] - means[third if is_relative else second])
    if means[best] < _LEAST_CORRELATION or margin < _PERHAPS_MARGIN:
        return None
    needed = _LIKELY_MARGIN_OVER_RELATIVE if is_relative else _LIKELY_MARGIN
    is_likely = means[best] - means[second] >= needed and agreeing >= _FEWEST_AGREEING
    return KeyEstimate(
        key=_key(best),
        certainty=Certainty.LIKELY if is_likely else Certainty.PERHAPS,
        relative=_key(second) if is_relative and not is_likely else None,
    )


def _pitch_classes(
    histogram: Histogram, tuning_cents: float, harmonics: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return pitch classes, counting each pitch also as a harmonic of lower tones."""
    classes = np.zeros(PITCH_CLASSES)
    for harmonic in harmonics:
        semitones = (_CENTS - tuning_cents) / 100 - PITCH_CLASSES * np.log2(harmonic)
        nearest = np.rint(semitones)
        closeness = np.square(np.cos(np.pi * (semitones - nearest)))
        here = (nearest.astype(int) + _A) % PITCH_CLASSES
        weight = _HARMONIC_DECAY ** (harmonic - 1)
        classes += weight * np.bincount(here, histogram * closeness, PITCH_CLASSES)
    return classes


def _normalised(classes: NDArray[np.float64]) -> NDArray[np.float64]:
    share: NDArray[np.float64] = classes / max(float(classes.sum()), 1e-12)
    return share


def _key(number: int) -> Key:
    is_minor, tonic = divmod(number, PITCH_CLASSES)
    return Key(tonic=tonic, is_minor=bool(is_minor))


def _relative(number: int) -> int:
    """Return the relative key: the same notes in the other mode."""
    is_minor, tonic = divmod(number, PITCH_CLASSES)
    return (tonic + 3) % PITCH_CLASSES if is_minor else (tonic - 3) % PITCH_CLASSES + PITCH_CLASSES
