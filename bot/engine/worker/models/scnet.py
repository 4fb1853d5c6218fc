"""Runs SCNet block by block: four stems, and the instrumental as the song minus the voice.

The network takes the spectrum of an 11 s segment and returns those of its sources (Tong, Zhu, Chen
et al., SCNet: sparse compression network for music source separation, 2024). Segments overlap by
half and fade in and out over a tenth of their length. A longer song is continued by its reflection
at both ends, so that two segments also cover its first and last seconds. All this is as in
ZFTurbo's Music-Source-Separation-Training, with which the weights were evaluated.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from bot.domain.recipes import Stem
from bot.engine.model_declaration import DamagedModel
from bot.engine.worker.models.four_stems import (
    SOURCES,
    Blend,
    from_planes,
    level,
    stems_of,
    to_planes,
)
from bot.engine.worker.network import Network
from bot.engine.worker.spool_io import Samples, Spool

SEGMENT = 485_100
OVERLAP = 2
"""The number of segments that cover each sample."""
STEP = SEGMENT // OVERLAP
BORDER = SEGMENT - STEP
"""The length of the song's continuation at either end."""
FADE = SEGMENT // 10

_COLUMN = 4096
_HOP = 1024
_PADDED = 486_400
"""The next multiple of the hop for which the number of columns is even."""
COLUMNS = _PADDED // _HOP + 1
BINS = _COLUMN // 2 + 1
_SCALE = np.float32(np.sqrt(_COLUMN))
_PLANES = 4
"""Real and imaginary parts of two channels."""


class SCNet:
    """The network, loaded once."""

    def __init__(self, network: Network, *, threads: int) -> None:
        """Check that the graph has SCNet's inputs; raises DamagedModel."""
        if not network.takes(1, _PLANES, BINS, COLUMNS):
            raise DamagedModel("the graph does not take the spectrum that SCNet does")
        (self._input_name,) = network.input_names
        self._network = network
        self._threads = threads
        rise = np.linspace(0, 1, FADE, dtype=np.float32)
        self._first_window = np.ones(SEGMENT, np.float32)
        self._first_window[-FADE:] = rise[::-1]
        self._window = self._first_window.copy()
        self._window[:FADE] = rise

    def separate(self, song: Spool) -> Iterator[dict[Stem, Samples]]:
        """Yield all stems in consecutive pieces; drums, bass, other and voice add up to the song.

        `other` includes what the network assigned to no stem.
        """
        mean, deviation = level(song)
        blend, window = Blend(), self._first_window
        for start in range(-_border(song.frames), song.frames, STEP):
            estimate = self._estimate(_segment(song, start, mean, deviation))
            finished = blend.add(estimate, window, stride=STEP)
            window = self._window
            first, last = max(start, 0), min(start + STEP, song.frames)
            if first < last:
                sources = finished[..., first - start : last - start] * deviation
                yield stems_of(sources, song.read(first, last))

    def _estimate(self, samples: Samples) -> Samples:
        """Return one segment's sources as (4, 2 channels, SEGMENT); raises DamagedModel."""
        spectrum = _spectrum(samples, threads=self._threads)
        (answer,) = self._network.run({self._input_name: to_planes(spectrum)[np.newaxis]})
        if answer.size != len(SOURCES) * _PLANES * BINS * COLUMNS:
            raise DamagedModel("the graph does not give the spectra that SCNet does")
        sources = np.empty((len(SOURCES), 2, SEGMENT), np.float32)
        planes = answer.reshape(len(SOURCES), _PLANES, BINS, COLUMNS)
        # One source at a time, because the columns of all of them take 60 MiB.
        for index in range(len(SOURCES)):
            (spectrum,) = from_planes(planes[index : index + 1])
            sources[index] = _samples(spectrum, threads=self._threads)
        return sources


def _border(frames: int) -> int:
    return BORDER if frames > 2 * BORDER else 0


def _segment(song: Spool, start: int, mean: np.float32, deviation: np.float32) -> Samples:
    """Return SEGMENT samples of the normalised song, continued beyond its ends."""
    end = song.frames + _border(song.frames)
    index = np.arange(start, start + SEGMENT)
    is_mirrored = end - start > SEGMENT // 2
    if is_mirrored:  # fill up the last segment with its reflection
        index = np.minimum(index, 2 * (end - 1) - index)
    place = np.abs(index)
    place = np.minimum(place, 2 * (song.frames - 1) - place)
    low, high = int(place.min()), int(place.max()) + 1
    samples: Samples = (song.read(low, high)[:, place - low] - mean) / deviation
    if not is_mirrored:
        samples[:, end - start :] = 0
    return samples


def _spectrum(samples: Samples, *, threads: int) -> NDArray[np.complex64]:
    """Return (2, BINS, COLUMNS) as in training: without a window, with reflected edges."""
    padded = np.pad(samples, ((0, 0), (0, _PADDED - SEGMENT)))
    padded = np.pad(padded, ((0, 0), (_COLUMN // 2, _COLUMN // 2)), mode="reflect")
    columns = np.lib.stride_tricks.sliding_window_view(padded, _COLUMN, axis=-1)[:, ::_HOP]
    spectra = fft.rfft(columns, axis=-1, workers=threads)
    return (spectra / _SCALE).transpose(0, 2, 1).astype(np.complex64, copy=False)


def _samples(spectrum: NDArray[np.complex64], *, threads: int) -> Samples:
    """Convert (2, BINS, COLUMNS) back into SEGMENT samples, the mean of the overlapping columns."""
    bins = spectrum.transpose(0, 2, 1) * _SCALE
    pieces: Samples = fft.irfft(bins, n=_COLUMN, axis=-1, workers=threads)
    overlap = _COLUMN // _HOP
    pieces = pieces.reshape(2, COLUMNS, overlap, _HOP)
    summed = np.zeros((2, COLUMNS + overlap - 1, _HOP), np.float32)
    for step in range(overlap):
        summed[:, step : step + COLUMNS] += pieces[:, :, step]
    summed /= _covering()[:, np.newaxis]
    line = summed.reshape(2, -1)
    return line[:, _COLUMN // 2 : _COLUMN // 2 + SEGMENT]


def _covering() -> NDArray[np.float32]:
    """Return the number of columns that cover each hop."""
    ones = np.ones(COLUMNS, np.float32)
    return np.convolve(ones, np.ones(_COLUMN // _HOP, np.float32))
