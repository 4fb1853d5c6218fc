"""The layout of a spool: raw audio between two steps of a job, without any header.

A spool (`.f32`) holds interleaved stereo frames of little-endian float32 at 44.1 kHz; full
scale is 1.0 and may be exceeded. Its length is its size, so nothing in it can lie.
"""

from pathlib import Path

SAMPLE_RATE = 44_100
CHANNELS = 2
FRAME_BYTES = CHANNELS * 4


def frames_in(spool: Path) -> int:
    """Return how many stereo frames the spool holds."""
    return spool.stat().st_size // FRAME_BYTES
