"""The format of a spool: raw audio between two steps of a job, without a header.

A spool (`.f32`) holds interleaved stereo frames of little-endian float32 at 44.1 kHz. Full scale is
1.0, and samples may exceed it. The length follows from the file size, so no header can be wrong.
"""

import sys
from array import array
from pathlib import Path

from bot.domain.minutes import SAMPLE_RATE

__all__ = ["CHANNELS", "FRAME_BYTES", "SAMPLE_RATE", "SILENCE", "frames_in", "is_silent"]

CHANNELS = 2
FRAME_BYTES = CHANNELS * 4

SILENCE = 1e-3
"""Samples below this are inaudible (-60 dBFS)."""

_BLOCK_FRAMES = 1 << 13


def frames_in(spool: Path) -> int:
    """Return how many stereo frames the spool holds."""
    return spool.stat().st_size // FRAME_BYTES


def is_silent(spool: Path, start: int) -> bool:
    """Return whether all frames from `start` on are silent.

    The check does not use numpy, which the bot does not load. It reads in small steps, because it
    may run in one of the bot's threads.
    """
    with spool.open("rb") as file:
        file.seek(start * FRAME_BYTES)
        while raw := file.read(_BLOCK_FRAMES * FRAME_BYTES):
            samples = array("f", raw[: len(raw) // FRAME_BYTES * FRAME_BYTES])
            if sys.byteorder == "big":
                samples.byteswap()
            if samples and (max(samples) >= SILENCE or min(samples) <= -SILENCE):
                return False
    return True
