"""Measures onset strength: the rise in level of a signal's bands from frame to frame.

Onset strength is the log-compressed spectral flux of 48 bands, summed to three registers (J. P.
Bello et al., "A tutorial on onset detection in music signals", IEEE TSAP 13(5), 2005).
"""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bot.audio.child.analysis.frames import Framer, Windows
from bot.audio.child.analysis.mono_blocks import RATE, Mono

HOP = 256
FRAMES_A_SECOND = RATE / HOP
REGISTERS = 3
"""The low, middle and high register, with borders at 125 Hz and 2 kHz."""

_SIZE = 1024
_BANDS = 48
_LOWEST_HZ, _HIGHEST_HZ = 30.0, 10_000.0
_REGISTER_EDGES_HZ = (125.0, 2_000.0)
_GAIN = 8.0
"""Low, so that compression leaves a bass drum louder than a bass."""
_STEP = 512
"""The number of windows that are transformed at once."""

Strength = NDArray[np.float32]
"""(registers, frames)."""


class OnsetMeter:
    """Measures the blocks of one signal, in order."""

    def __init__(self) -> None:
        self._framer = Framer(size=_SIZE, hop=HOP)
        self._window = np.hanning(_SIZE + 1)[:-1].astype(np.float32)
        self._first_bins = _first_bins()
        self._last_bin = int(np.ceil(_HIGHEST_HZ * _SIZE / RATE))
        widths = np.diff(self._first_bins, append=self._last_bin).clip(1)
        self._scale = (4 / _SIZE / widths).astype(np.float32)
        self._last = np.zeros((1, _BANDS), np.float32)
        self._flux: list[Strength] = []

    def add(self, block: Mono) -> None:
        """Measure the next samples."""
        self._measure(self._framer.add(block))

    def strength(self) -> Strength:
        """Return the onset strength of the whole signal."""
        self._measure(self._framer.rest())
        return np.concatenate([*self._flux, np.zeros((0, REGISTERS), np.float32)]).T

    def _measure(self, windows: Windows) -> None:
        for start in range(0, len(windows), _STEP):
            spectra = np.abs(scipy.fft.rfft(windows[start : start + _STEP] * self._window))
            # A matrix product would make BLAS start threads.
            sums = np.add.reduceat(spectra[:, : self._last_bin], self._first_bins, axis=1)
            levels = np.log1p(_GAIN * sums * self._scale)
            rises = np.diff(np.concatenate([self._last, levels]), axis=0).clip(0)
            self._last = levels[-1:]
            self._flux.append((rises @ _REGISTER_OF_BANDS).astype(np.float32))


def _edges() -> NDArray[np.float64]:
    return np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 1)


def _first_bins() -> NDArray[np.intp]:
    """Return each band's first bin; a band that lies between two bins gets the nearer bin."""
    hertz = np.fft.rfftfreq(_SIZE, 1 / RATE)
    edges = np.searchsorted(hertz, _edges())
    centres = np.sqrt(_edges()[:-1] * _edges()[1:])
    nearest = np.rint(centres * _SIZE / RATE).astype(np.intp)
    first: NDArray[np.intp] = np.where(np.diff(edges) > 0, edges[:-1], nearest)
    return first


_REGISTER_OF_BANDS = (
    np.digitize(np.sqrt(_edges()[:-1] * _edges()[1:]), _REGISTER_EDGES_HZ)[:, np.newaxis]
    == np.arange(REGISTERS)
).astype(np.float32)
