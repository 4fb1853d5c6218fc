"""Tracks the beats of a song and fits a line to them.

The tracker follows D. P. W. Ellis, "Beat tracking by dynamic programming", Journal of New Music
Research 36(1), 2007: it finds the chain of frames with the strongest onsets at distances close to
the period.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.audio.child.analysis.onset_strength import FRAMES_A_SECOND
from bot.audio.child.analysis.tempo import vertex

KNOT_BEATS = 8
"""The number of beats between two stored deviations from the line."""

_TIGHTNESS = 100.0
_ELASTICITY = 0.15
"""The largest deviation of a beat's length from the period."""
_ROUNDS = 10

Pulse = NDArray[np.float64]
"""Onset strength by frame, with a standard deviation of 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatLine:
    """A straight line through the beats, and the slow deviations from it.

    `deviations_s` has a deviation for every `KNOT_BEATS`th beat; `residual` is how far the tracked
    beats lie from the line with its deviations, as a share of the period.
    """

    first_s: float
    period_s: float
    beats: int
    deviations_s: tuple[float, ...]
    residual: float

    def times(self) -> NDArray[np.float64]:
        """Return the beats in seconds."""
        number = np.arange(self.beats)
        knots = KNOT_BEATS * np.arange(len(self.deviations_s))
        times: NDArray[np.float64] = (
            self.first_s + self.period_s * number + np.interp(number, knots, self.deviations_s)
        )
        return times


def track(pulse: Pulse, period: float) -> NDArray[np.float64]:
    """Return the beats in seconds, given their period in frames."""
    shortest = max(1, int(period * (1 - _ELASTICITY)))
    longest = max(shortest + 1, int(np.ceil(period * (1 + _ELASTICITY))))
    lags = np.arange(longest, shortest - 1, -1)
    penalty = -_TIGHTNESS * np.square(np.log(lags / period))
    scores = np.zeros(len(pulse) + longest)
    before = np.zeros(len(pulse), np.intp)
    for frame in range(len(pulse)):
        reachable = scores[frame : frame + len(lags)] + penalty
        best = reachable.argmax()
        # A chain with a negative score, as in silence, is dropped.
        scores[frame + longest] = pulse[frame] + max(0.0, reachable[best])
        before[frame] = frame - lags[best] if reachable[best] > 0 else -1
    at = int(scores[longest:].argmax())
    beats = []
    while at >= 0:
        beats.append(at + _offset(pulse, at))
        at = int(before[at])
    return np.array(beats[::-1]) / FRAMES_A_SECOND


def fit(beats_s: NDArray[np.float64]) -> BeatLine:
    """Fit a line that a few misplaced beats do not move. Needs at least two beats."""
    number = np.arange(len(beats_s))
    weights = np.ones(len(beats_s))
    for _ in range(_ROUNDS):
        period_s, first_s = np.polyfit(number, beats_s, 1, w=np.sqrt(weights))
        off = beats_s - first_s - period_s * number
        spread = 1.5 * _robust_spread(off) + 1e-6
        weights = 1 / np.maximum(1, np.abs(off) / spread)
    reach = KNOT_BEATS // 2
    knots = [
        float(np.median(off[max(0, knot - reach) : knot + reach + 1]))
        for knot in range(0, len(beats_s), KNOT_BEATS)
    ]
    line = BeatLine(
        first_s=float(first_s),
        period_s=float(period_s),
        beats=len(beats_s),
        deviations_s=tuple(knots),
        residual=0.0,
    )
    residual = _robust_spread(beats_s - line.times()) / period_s
    return BeatLine(
        first_s=line.first_s,
        period_s=line.period_s,
        beats=line.beats,
        deviations_s=line.deviations_s,
        residual=float(residual),
    )


def _offset(pulse: Pulse, frame: int) -> float:
    if not 0 < frame < len(pulse) - 1:
        return 0.0
    return vertex(*pulse[frame - 1 : frame + 2])


def _robust_spread(values: NDArray[np.float64]) -> float:
    return 1.4826 * float(np.median(np.abs(values)))
