"""What the networks with four sources have in common: level, blending, planes and stems."""

import numpy as np
from numpy.typing import NDArray

from bot.domain.recipes import Stem
from bot.engine.worker.spool_io import Samples, Spool

SOURCES = (Stem.DRUMS, Stem.BASS, Stem.OTHER, Stem.VOCALS)
"""The networks' outputs, in order."""

_STATISTICS_BLOCK = 1 << 20
_SILENCE = 1e-8


def level(song: Spool) -> tuple[np.float32, np.float32]:
    """Return the mean and the standard deviation of the mono song, with which it is normalised."""
    total = squares = 0.0
    for start in range(0, song.frames, _STATISTICS_BLOCK):
        stop = min(start + _STATISTICS_BLOCK, song.frames)
        mono = song.read(start, stop).mean(axis=0, dtype=np.float64)
        total += float(mono.sum())
        squares += float(np.square(mono).sum())
    frames = max(song.frames, 1)
    mean = total / frames
    deviation = max(squares / frames - mean**2, 0.0) ** 0.5
    return np.float32(mean), np.float32(deviation + _SILENCE)


class Blend:
    """Blends overlapping segments, carrying over the frames that the next segment completes."""

    def __init__(self) -> None:
        self._sum: Samples = np.zeros((len(SOURCES), 2, 0), np.float32)
        self._weight: NDArray[np.float32] = np.zeros(0, np.float32)

    def add(self, segment: Samples, weights: NDArray[np.float32], *, stride: int) -> Samples:
        """Add a segment; return its first `stride` frames, which are complete."""
        summed, weight = segment * weights, weights.copy()
        carried = self._weight.shape[0]
        summed[..., :carried] += self._sum
        weight[:carried] += self._weight
        self._sum, self._weight = summed[..., stride:].copy(), weight[stride:].copy()
        finished: Samples = summed[..., :stride] / weight[:stride]
        return finished


def stems_of(sources: Samples, mixture: Samples) -> dict[Stem, Samples]:
    """Return the sources as stems that add up to the mixture, and the instrumental.

    What the network assigned to no source is added to `other`.
    """
    stems = dict(zip(SOURCES, sources, strict=True))
    stems[Stem.OTHER] = stems[Stem.OTHER] + mixture - sources.sum(axis=0)
    stems[Stem.INSTRUMENTAL] = mixture - stems[Stem.VOCALS]
    return stems


def to_planes(spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Arrange (channels, ...) as alternating real and imaginary planes."""
    return np.stack([spectrum.real, spectrum.imag], axis=1).reshape(-1, *spectrum.shape[1:])


def from_planes(planes: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Return (sources, channels, ...) from (sources, 2 * channels, ...)."""
    sources, channels, *rest = planes.shape
    split = planes.reshape(sources, channels // 2, 2, *rest)
    spectrum: NDArray[np.complex64] = split[:, :, 0] + 1j * split[:, :, 1]
    return spectrum
