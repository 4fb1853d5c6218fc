"""The shape of a master in a few numbers: how loud it is in each of a row of equal slices."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.audio.child import master
from bot.audio.spool import CHANNELS, SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """Peak and RMS of each slice; full scale is 1.0."""

    duration_s: float
    peaks: NDArray[np.float64]
    rms: NDArray[np.float64]


def measure(stem: Path, slices: int) -> Waveform:
    """Measure a master; it is read once and never held whole."""
    peaks, powers = np.zeros(slices), np.zeros(slices)
    with master.opened(stem) as container:
        frames = max(1, master.frames_in(container))
        starts = np.arange(slices) * frames // slices
        at = 0
        for block in master.blocks(container):
            first, last = np.searchsorted(starts, (at, at + len(block) - 1), side="right") - 1
            here = slice(first, last + 1)
            edges = np.maximum(starts[here] - at, 0) * CHANNELS
            samples = block.ravel()
            peaks[here] = np.maximum(peaks[here], np.maximum.reduceat(np.abs(samples), edges))
            powers[here] += np.add.reduceat(np.square(samples), edges)
            at += len(block)
    lengths = np.diff(starts, append=frames) * CHANNELS
    rms = np.sqrt(powers / np.maximum(lengths, 1))
    return Waveform(duration_s=frames / SAMPLE_RATE, peaks=peaks, rms=rms)
