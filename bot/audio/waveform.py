"""The shape of a master in a few numbers: how loud it is in each of a row of equal slices."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.audio import master
from bot.audio.spool import SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """Peak and RMS of each slice; full scale is 1.0."""

    duration_s: float
    peaks: NDArray[np.float64]
    rms: NDArray[np.float64]


def measure(stem: Path, slices: int) -> Waveform:
    """Measure a master; it is read once and never held whole."""
    peaks, powers, counts = np.zeros(slices), np.zeros(slices), np.zeros(slices)
    with master.opened(stem) as container:
        frames = max(1, master.frames_in(container))
        start = 0
        for block in master.blocks(container):
            at = np.minimum(np.arange(start, start + len(block)) * slices // frames, slices - 1)
            first, edges = at[0], np.flatnonzero(np.diff(at, prepend=-1))
            touched = slice(first, first + len(edges))
            loudest = np.abs(block).max(axis=1)
            power = np.square(block, dtype=np.float64).mean(axis=1)
            peaks[touched] = np.maximum(peaks[touched], np.maximum.reduceat(loudest, edges))
            powers[touched] += np.add.reduceat(power, edges)
            counts[touched] += np.diff(edges, append=len(at))
            start += len(block)
    rms = np.sqrt(powers / np.maximum(counts, 1))
    return Waveform(duration_s=frames / SAMPLE_RATE, peaks=peaks, rms=rms)
