"""Estimates the tempo of a song from the autocorrelation of its onsets.

Each register of each signal is correlated only with itself, so a bass drum is never compared with
the hats between its strokes. The score of a period is the sum of the correlation's logarithms at
the period's multiples. A period of two thirds of a beat is weak at one multiple, so it scores low.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from bot.audio.child.analysis.onset_strength import FRAMES_A_SECOND, Strength

Rows = NDArray[np.float64]
"""(registers, frames): onsets above their surroundings, with the mean removed."""
Correlation = NDArray[np.float64]
"""Correlation by lag in frames, 1.0 at lag 0."""

SLOWEST_BPM, FASTEST_BPM = 45.0, 230.0
OCTAVE_TOLERANCE = 0.04

_SMOOTHING = 7
_SURROUNDINGS = round(FRAMES_A_SECOND)
_LONGEST_LAG = round(60 * FRAMES_A_SECOND)
_STEPS = 1200
_FLOOR = 0.03
_MULTIPLES = ((1, 0.5), (2, 1.0), (4, 1.5), (8, 1.0))
_USUAL_BPM = 128.0
"""The tempo that listeners prefer (D. Moelants, "Preferred tempo reconsidered", ICMPC 2002)."""
_USUAL_SPREAD_OCTAVES = 0.5
_REFINED_BY = (1, 2, 4, 8, 16, 32)
_SLACK = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A tempo and its score, the logarithm of how well it explains the onsets."""

    bpm: float
    score: float

    @property
    def period(self) -> float:
        """The beat in frames."""
        return 60 * FRAMES_A_SECOND / self.bpm

    def is_octave_of(self, other: "Hypothesis") -> bool:
        """Return whether one tempo is twice the other."""
        ratio = max(self.bpm, other.bpm) / min(self.bpm, other.bpm)
        return abs(ratio / 2 - 1) < OCTAVE_TOLERANCE


def rows(strength: Strength) -> Rows:
    """Smooth a signal's onset strength and remove its local mean."""
    smoothing = np.hanning(_SMOOTHING + 2)[1:-1]
    smooth = ndimage.convolve1d(strength.astype(np.float64), smoothing / smoothing.sum(), axis=1)
    above = smooth - ndimage.uniform_filter1d(smooth, _SURROUNDINGS, axis=1)
    onsets = np.maximum(above, 0)
    centred: Rows = onsets - onsets.mean(axis=1, keepdims=True)
    return centred


def autocorrelation(onsets: Rows) -> Correlation:
    """Return the mean autocorrelation of the rows, without nearly silent ones."""
    frames = onsets.shape[1]
    size = scipy.fft.next_fast_len(2 * frames, real=True)
    power = np.square(np.abs(scipy.fft.rfft(onsets, size, axis=1)))
    each = scipy.fft.irfft(power, size, axis=1)[:, : min(_LONGEST_LAG, frames)]
    energy = each[:, 0]
    is_heard = energy > 1e-3 * max(energy.max(), 1e-9)
    if not is_heard.any():
        return np.zeros(each.shape[1])
    overlap = 1 - np.arange(each.shape[1]) / frames
    mean: Correlation = (each[is_heard] / energy[is_heard, np.newaxis]).mean(axis=0) / overlap
    return mean


def hypotheses(correlation: Correlation) -> list[Hypothesis]:
    """Return the score's local maxima, best first."""
    bpms = np.geomspace(SLOWEST_BPM, FASTEST_BPM, _STEPS)
    scores = _scores(correlation, bpms)
    is_best = (scores[1:-1] >= scores[:-2]) & (scores[1:-1] > scores[2:])
    found = [
        Hypothesis(bpm=float(bpms[place]), score=float(scores[place]))
        for place in np.flatnonzero(is_best) + 1
    ]
    return sorted(found, key=lambda each: -each.score)


def refined_period(correlation: Correlation, period: float) -> float:
    """Refine a period in frames from the correlation's peaks near the period's multiples."""
    for multiple in _REFINED_BY:
        centre = period * multiple
        reach = max(2, round(_SLACK * period))
        first, last = round(centre) - reach, round(centre) + reach
        if first < 1 or last + 1 >= 0.8 * len(correlation):
            break
        top = first + int(correlation[first : last + 1].argmax())
        if first < top < last:
            period = (top + vertex(*correlation[top - 1 : top + 2])) / multiple
    return period


def vertex(left: float, middle: float, right: float) -> float:
    """Return the vertex of the parabola through three equidistant values, relative to the middle
    one.
    """
    bend = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < -1e-12 else 0.0


def _scores(correlation: Correlation, bpms: NDArray[np.float64]) -> NDArray[np.float64]:
    periods = 60 * FRAMES_A_SECOND / bpms

    def at(multiple: float) -> NDArray[np.float64]:
        values = np.interp(periods * multiple, np.arange(len(correlation)), correlation, right=0)
        return np.maximum(values, _FLOOR)

    scores = np.sum([weight * np.log(at(multiple)) for multiple, weight in _MULTIPLES], axis=0)
    octaves = np.log2(bpms / _USUAL_BPM) / _USUAL_SPREAD_OCTAVES
    judged: NDArray[np.float64] = scores - np.square(octaves)
    return judged
