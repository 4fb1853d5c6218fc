"""The short-time Fourier transform of a stream.

A song of n frames has `column_count(n)` columns. Column k covers the COLUMN samples that start at k
* HOP - LEAD, so every sample of the song is in exactly OVERLAP columns, and the windows add up to
the same constant everywhere, including both ends.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from bot.engine.worker.spool_io import Samples

COLUMN = 4096
HOP = 1024
OVERLAP = COLUMN // HOP
LEAD = COLUMN - HOP
BINS = COLUMN // 2 + 1
_AT_ONCE = 64
"""Columns that are transformed together: as many as fit into the processor's cache."""

Spectra = NDArray[np.complex64]
"""Transformed audio, shaped (..., columns, BINS)."""

_WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(COLUMN) / COLUMN)).astype(np.float32)
_SYNTHESIS_WINDOW = _WINDOW * (HOP / np.sum(_WINDOW**2))
"""The window after the inverse transform, scaled so that overlapping columns add up to the song."""


def column_count(frames: int) -> int:
    """Return the number of columns of a song with this many frames."""
    return -(-frames // HOP) + OVERLAP - 1 if frames else 0


def span(first: int, last: int) -> tuple[int, int]:
    """Return the range of samples that the columns from `first` to before `last` cover."""
    return first * HOP - LEAD, last * HOP


def analyse(samples: Samples, *, threads: int) -> Spectra:
    """Transform the samples of a `span` into its columns."""
    columns = np.lib.stride_tricks.sliding_window_view(samples, COLUMN, axis=-1)[..., ::HOP, :]
    spectra: Spectra = np.empty((*columns.shape[:-1], BINS), np.complex64)
    for first in range(0, columns.shape[-2], _AT_ONCE):
        few = np.s_[..., first : first + _AT_ONCE, :]
        spectra[few] = fft.rfft(columns[few] * _WINDOW, axis=-1, workers=threads)
    return spectra


def synthesise(spectra: Spectra, *, threads: int) -> Samples:
    """Transform columns back and add them up; the first and last LEAD samples are incomplete."""
    lead, count = spectra.shape[:-2], spectra.shape[-2]
    summed = np.zeros((*lead, count + OVERLAP - 1, HOP), np.float32)
    for first in range(0, count, _AT_ONCE):
        few = spectra[..., first : first + _AT_ONCE, :]
        pieces: Samples = fft.irfft(few, n=COLUMN, axis=-1, workers=threads)
        pieces *= _SYNTHESIS_WINDOW
        for step in range(OVERLAP):
            at, part = first + step, pieces[..., step * HOP : (step + 1) * HOP]
            summed[..., at : at + part.shape[-2], :] += part
    return summed.reshape(*lead, -1)


class Resynthesis:
    """Joins the synthesised columns of one song and cuts them to its length.

    Keeps the samples that later columns will complete.
    """

    def __init__(self, *, frames: int) -> None:
        self._frames = frames
        self._position = -LEAD
        self._carry: Samples = np.zeros(LEAD, np.float32)

    def add(self, samples: Samples) -> tuple[int, Samples]:
        """Add the next samples; return the position of the completed ones, and those samples."""
        samples[..., :LEAD] += self._carry
        self._carry = samples[..., -LEAD:].copy()
        return self._cut(samples[..., :-LEAD])

    def _cut(self, finished: Samples) -> tuple[int, Samples]:
        """Remove samples before the song's first frame or after its last."""
        start = max(self._position, 0)
        stop = max(start, min(self._position + finished.shape[-1], self._frames))
        cut = finished[..., start - self._position : stop - self._position]
        self._position += finished.shape[-1]
        return start, cut
