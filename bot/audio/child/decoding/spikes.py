"""Clamps isolated samples far above the rest of a song, such as in damaged float files.

All masters of a job are scaled by one factor to avoid clipping, so a single spike would make all of
them nearly silent.
"""

from pathlib import Path

import numpy as np

from bot.audio.child.decoding.mixdown import Samples
from bot.audio.spool import CHANNELS, FRAME_BYTES

_DOUBLINGS = 31
_FEW = 200
_SHARE = 5_000
"""Samples above a level are spikes if there is at most one in this many samples."""
_BLOCK_FRAMES = 1 << 16


class Loudness:
    """Counts how many of a song's samples exceed full scale, and by how much."""

    def __init__(self) -> None:
        self._samples = 0
        self._peak = 0.0
        self._above = np.zeros(_DOUBLINGS, np.int64)
        """Element n is the number of samples above 2 ** n."""

    def count(self, block: Samples) -> None:
        """Add a block's samples to the counts."""
        self._samples += block.size
        peak = float(np.abs(block).max(initial=0.0))
        self._peak = max(self._peak, peak)
        if peak > 1.0:
            levels = 2.0 ** np.arange(_DOUBLINGS)
            loud = np.sort(np.abs(block[np.abs(block) > 1.0]))
            self._above += len(loud) - np.searchsorted(loud, levels, side="right")

    @property
    def ceiling(self) -> float | None:
        """The level to which samples should be clamped, or None if there are no spikes."""
        few = max(_FEW, self._samples // _SHARE)
        level = 2.0 ** int(np.argmax(self._above <= few))
        return level if self._peak > 2 * level else None


def clamp(spool: Path, ceiling: float) -> None:
    """Clamp every sample of a spool to `ceiling`, in place."""
    with spool.open("r+b") as file:
        while raw := file.read(_BLOCK_FRAMES * FRAME_BYTES):
            samples = np.frombuffer(raw, "<f4", len(raw) // FRAME_BYTES * CHANNELS)
            if np.abs(samples).max(initial=0.0) > ceiling:
                file.seek(-len(raw), 1)
                file.write(samples.clip(-ceiling, ceiling).astype("<f4").tobytes())
