"""The F measure of beat tracking, with a tolerance of 70 ms.

After M. E. P. Davies, N. Degara and M. D. Plumbley, "Evaluation methods for musical audio beat
tracking algorithms", Queen Mary University of London 2009.
"""

import numpy as np
from numpy.typing import NDArray

from bot.domain.analysis import BeatGrid

TOLERANCE_S = 0.07
DEVIATION_EVERY = 8

Times = NDArray[np.float64]


def times(grid: BeatGrid) -> Times:
    """Return a grid's beats in seconds, as the docstring of BeatGrid defines them."""
    number = np.arange(grid.beats)
    knots = DEVIATION_EVERY * np.arange(len(grid.deviations_ms))
    deviation_ms = np.interp(number, knots, grid.deviations_ms)
    return np.asarray(grid.first_beat_s + number * grid.period_s + deviation_ms / 1000)


def f(found: Times, true: Times) -> float:
    """Return the F measure. Each true beat counts once."""
    if not len(found) or not len(true):
        return 0.0
    distance = np.abs(found[:, np.newaxis] - true)
    nearest = distance.argmin(axis=1)
    hits = len(np.unique(nearest[distance.min(axis=1) <= TOLERANCE_S]))
    return 2 * hits / (len(found) + len(true))


def octave_tolerant_f(found: Times, true: Times) -> float:
    """Return the best F measure of the beats at the found tempo, half of it and twice it."""
    between = (found[:-1] + found[1:]) / 2
    doubled = np.sort(np.concatenate([found, between]))
    return max(f(each, true) for each in (found, found[::2], found[1::2], doubled))
