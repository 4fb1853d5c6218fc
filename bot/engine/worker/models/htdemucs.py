"""Runs HTDemucs v4 block by block: four stems, and the instrumental as the song minus the voice.

The network takes segments of 7.8 s, as samples and as a spectrogram, and returns both; their sum is
the result (Rouard, Massa, Défossez, Hybrid transformers for music source separation, 2023).
Segments overlap by a quarter and are blended with triangular weights.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from bot.domain.recipes import Stem
from bot.engine.worker.models.four_stems import Blend, from_planes, level, stems_of, to_planes
from bot.engine.worker.network import Network
from bot.engine.worker.spool_io import Samples, Spool

SEGMENT = 343_980
_SHARED = SEGMENT // 4
STRIDE = SEGMENT - _SHARED

_COLUMN = 4096
_HOP = 1024
_EDGE = _HOP // 2 * 3
_SCALE = np.float32(np.sqrt(_COLUMN))
_WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_COLUMN) / _COLUMN)).astype(np.float32)
_GAIN = np.float32(np.sum(_WINDOW**2) / _HOP)


class HTDemucs:
    """The network, loaded once."""

    def __init__(self, network: Network, *, threads: int) -> None:
        self._network = network
        self._threads = threads
        self._samples_name, self._spectrum_name = network.input_names
        rise = np.arange(1, SEGMENT // 2 + 1, dtype=np.float32)
        self._weights = np.concatenate([rise, rise[::-1]]) / rise[-1]

    def separate(self, song: Spool) -> Iterator[dict[Stem, Samples]]:
        """Yield all stems in consecutive pieces; drums, bass, other and voice add up to the song.

        `other` includes what the network assigned to no stem.
        """
        mean, deviation = level(song)
        blend = Blend()
        for first in range(0, max(song.frames - _SHARED, min(song.frames, 1)), STRIDE):
            length = min(SEGMENT, song.frames - first)
            # Centre a short last segment, so that the network also sees what comes before it.
            lead = (SEGMENT - length) // 2
            samples = (song.read(first - lead, first - lead + SEGMENT) - mean) / deviation
            _silence_outside(samples, first - lead, song.frames)
            estimate = self._estimate(samples)[..., lead : lead + length]
            is_last = first + SEGMENT >= song.frames
            finished = blend.add(
                estimate, self._weights[:length], stride=length if is_last else STRIDE
            )
            yield stems_of(finished * deviation, song.read(first, first + finished.shape[-1]))

    def _estimate(self, samples: Samples) -> Samples:
        """Return one segment's sources as (4, 2 channels, SEGMENT)."""
        spectrum = _spectrum(samples, threads=self._threads)
        spectral, temporal = self._network.run(
            {
                self._samples_name: samples[np.newaxis],
                self._spectrum_name: to_planes(spectrum)[np.newaxis],
            }
        )
        estimate: Samples = temporal[0]
        estimate += _samples(from_planes(spectral[0]), threads=self._threads)
        return estimate


def _silence_outside(samples: Samples, start: int, frames: int) -> None:
    """Set samples outside the song to exact zeros, as normalising shifted the silence there."""
    samples[:, : max(-start, 0)] = 0
    samples[:, max(frames - start, 0) :] = 0


def _spectrum(samples: Samples, *, threads: int) -> NDArray[np.complex64]:
    """Return (2, bins, columns) as in training: with reflected edges and no Nyquist bin."""
    columns = -(-SEGMENT // _HOP)
    right = _EDGE + columns * _HOP - SEGMENT
    padded = np.pad(samples, ((0, 0), (_EDGE, right)), mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(padded, _COLUMN, axis=-1)[:, ::_HOP]
    spectra = fft.rfft(views * _WINDOW, axis=-1, workers=threads)
    return (spectra[..., :-1] / _SCALE).transpose(0, 2, 1).astype(np.complex64)


def _samples(spectrum: NDArray[np.complex64], *, threads: int) -> Samples:
    """Convert (..., bins, columns) back into SEGMENT samples; missing columns are silent."""
    columns = spectrum.shape[-1]
    bins = np.zeros((*spectrum.shape[:-2], columns, _COLUMN // 2 + 1), np.complex64)
    bins[..., :-1] = np.swapaxes(spectrum, -1, -2) * _SCALE
    pieces = fft.irfft(bins, n=_COLUMN, axis=-1, workers=threads).astype(np.float32) * _WINDOW
    overlap = _COLUMN // _HOP
    pieces = pieces.reshape(*pieces.shape[:-1], overlap, _HOP)
    summed = np.zeros((*pieces.shape[:-3], columns + overlap - 1, _HOP), np.float32)
    for step in range(overlap):
        summed[..., step : step + columns, :] += pieces[..., step, :]
    line = summed.reshape(*summed.shape[:-2], -1)[..., _EDGE : _EDGE + SEGMENT]
    return (line / _GAIN).astype(np.float32, copy=False)
