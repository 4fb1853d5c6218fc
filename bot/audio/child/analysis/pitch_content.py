"""Counts the spectral peaks of a signal in a fine histogram of pitches.

Peaks are interpolated (J. O. Smith and X. Serra, "PARSHL", ICMC 1987), because a bin of the
spectrum is wider than a semitone in the bass.
"""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bot.audio.child.analysis.frames import Framer, Windows
from bot.audio.child.analysis.mono_blocks import RATE, Mono
from bot.domain.analysis import PITCH_CLASSES

HOP = 2048
FRAMES_A_SECOND = RATE / HOP
LOWEST_HZ = 32.7
"""The lowest pitch of the histogram, a C; each of its bins is a cent wide."""
BINS = 7300
CLASSES = 3 * PITCH_CLASSES
"""The classes of a chromagram: three a semitone, for songs that are out of tune."""

_SIZE = 8192
_HEIGHT = 0.01
"""The least level of a peak, as a share of the loudest peak in its window."""
_SILENCE = 1e-4
_STEP = 64

Histogram = NDArray[np.float64]
Chromagram = NDArray[np.float32]
"""(frames, `CLASSES`)."""


class PitchMeter:
    """Measures the blocks of one signal, in order, within a frequency range."""

    def __init__(self, *, low_hz: float, high_hz: float) -> None:
        self._framer = Framer(size=_SIZE, hop=HOP)
        self._window = np.hanning(_SIZE + 1)[:-1].astype(np.float32)
        self._first, self._last = (round(hertz * _SIZE / RATE) for hertz in (low_hz, high_hz))
        self.histogram: Histogram = np.zeros(BINS)
        self._chroma: list[Chromagram] = []

    def add(self, block: Mono) -> None:
        """Measure the next samples."""
        self._measure(self._framer.add(block))

    def chromagram(self) -> Chromagram:
        """End the signal, and return its pitch classes over time."""
        self._measure(self._framer.rest())
        return np.concatenate([*self._chroma, np.zeros((0, CLASSES), np.float32)])

    def _measure(self, windows: Windows) -> None:
        for start in range(0, len(windows), _STEP):
            spectra = scipy.fft.rfft(windows[start : start + _STEP] * self._window)
            levels = np.abs(spectra[:, self._first - 1 : self._last + 2]) * (4 / _SIZE)
            self._count(levels.astype(np.float32, copy=False))

    def _count(self, levels: NDArray[np.float32]) -> None:
        left, middle, right = levels[:, :-2], levels[:, 1:-1], levels[:, 2:]
        loudest = levels.max(axis=1, keepdims=True)
        is_peak = (middle > left) & (middle >= right)
        is_peak &= (middle > _HEIGHT * loudest) & (middle > _SILENCE)
        frame, place = np.nonzero(is_peak)
        below, at, above = (np.log(part[frame, place] + 1e-12) for part in (left, middle, right))
        offset = 0.5 * (below - above) / (below - 2 * at + above - 1e-9)
        hertz = (place + self._first + offset) * RATE / _SIZE
        cents = 1200 * np.log2(hertz / LOWEST_HZ)
        weight = np.sqrt(middle[frame, place])
        is_inside = (cents >= 0) & (cents < BINS)
        frame, cents, weight = frame[is_inside], cents[is_inside], weight[is_inside]
        self.histogram += np.bincount(cents.astype(int), weight, BINS)
        fine = (cents * (CLASSES / 1200)).astype(int) % CLASSES
        chroma = np.bincount(frame * CLASSES + fine, weight, len(levels) * CLASSES)
        self._chroma.append(chroma.reshape(-1, CLASSES).astype(np.float32))
