"""Splits an instrumental into drums, bass and the rest by two rules, without a network.

In a spectrogram, drums are short and broad while notes are long and narrow, so medians along time
and along frequency separate them (Fitzgerald, Harmonic/percussive separation using median
filtering, 2010). Bass is the remaining low-frequency sound in the centre of the stereo image.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bot.audio.spool import SAMPLE_RATE
from bot.domain.recipes import Stem
from bot.engine.worker.spool_io import Samples, Spool
from bot.engine.worker.stft import (
    COLUMN,
    Resynthesis,
    Spectra,
    analyse,
    column_count,
    span,
    synthesise,
)

Magnitude = NDArray[np.float32]
"""Real values, shaped (columns, bins)."""

BLOCK = 512
_LONG = 17
"""The length, in columns (0.4 s), of the median along time, which keeps notes."""
_BROAD = 17
"""The length, in bins (180 Hz), of the median along frequency, which keeps drums."""
_SMOOTH = (5, 3)
_CONTEXT = max(_LONG, _SMOOTH[0]) // 2
_BASS_HZ = (200.0, 600.0)
"""Below the first frequency, all centred sound but drums is bass; above the second, none is."""
_FLOOR = np.float32(1e-12)


class BandSplit:
    """The "basic" stage that follows Spleeter."""

    def __init__(self, *, threads: int) -> None:
        self._threads = threads

    def separate(self, song: Spool) -> Iterator[dict[Stem, Samples]]:
        """Yield drums, bass and the rest in consecutive pieces, which add up to the
        instrumental.
        """
        resynthesis = Resynthesis(frames=song.frames)
        columns = column_count(song.frames)
        for first in range(0, columns, BLOCK):
            parts = self._block(song, first, min(first + BLOCK, columns), columns)
            samples = synthesise(parts, threads=self._threads)
            start, (drums, bass) = resynthesis.add(samples)
            mixture = song.read(start, start + drums.shape[-1])
            yield {Stem.DRUMS: drums, Stem.BASS: bass, Stem.OTHER: mixture - drums - bass}

    def _block(self, song: Spool, first: int, last: int, columns: int) -> Spectra:
        """Return drums and bass of the columns from `first` to `last`, as (2 stems, 2 channels,
        ...).

        The filters also see a few columns on either side, where the song has them, so that no seams
        are audible.
        """
        begin, end = max(first - _CONTEXT, 0), min(last + _CONTEXT, columns)
        spectra = analyse(song.read(*span(begin, end)), threads=self._threads)
        drums = _percussive_share(np.sqrt(np.square(np.abs(spectra)).mean(axis=0)))
        bass = (1 - drums) * _low_share(drums.shape[-1]) * _middle_share(spectra)
        kept = slice(first - begin, last - begin)
        return np.stack([drums, bass])[:, np.newaxis, kept] * spectra[:, kept]


def _percussive_share(magnitude: Magnitude) -> Magnitude:
    strokes = np.square(_row_median(magnitude, _BROAD))
    notes = np.square(_row_median(magnitude.T, _LONG).T)
    return _single(strokes / (strokes + notes + _FLOOR))


def _row_median(rows: Magnitude, size: int) -> Magnitude:
    """Return the running median along each row.

    The rows are joined into one, with repeated edges between them, because scipy's one-dimensional
    filter is ten times as fast as its general one.
    """
    reach = size // 2
    padded = np.pad(rows, ((0, 0), (reach, reach)), mode="edge")
    filtered = _single(ndimage.median_filter(padded.ravel(), size=size, mode="nearest"))
    return filtered.reshape(padded.shape)[:, reach:-reach]


def _low_share(bins: int) -> Magnitude:
    full, none = _BASS_HZ
    frequency = np.arange(bins, dtype=np.float32) * (SAMPLE_RATE / COLUMN)
    return _single(np.clip((none - frequency) / (none - full), 0, 1))


def _middle_share(spectra: Spectra) -> Magnitude:
    """Return 1 where both channels agree, and 0 where they are unrelated or opposite."""
    left, right = spectra
    power = ndimage.uniform_filter(np.square(np.abs(spectra)).sum(axis=0), _SMOOTH, mode="nearest")
    common = ndimage.uniform_filter((left * right.conj()).real, _SMOOTH, mode="nearest")
    return _single(np.clip(2 * common / (power + _FLOOR), 0, 1))


def _single(values: NDArray[np.floating]) -> Magnitude:
    return values.astype(np.float32, copy=False)
