"""Exponential backoff with deterministic jitter: the one rule for every growing pause.

Pure: the same try of the same key pauses equally long whenever it is computed, so a job that is
woken early does not start its pause over.
"""

from zlib import crc32

FIRST_S = 2.0
MAX_S = 30.0
JITTER = 0.25
"""A pause differs by up to this share either way, so that simultaneous failures spread out."""
MAX_DOUBLINGS = 32
"""Applied before the power is computed: 2.0 ** 1024 does not fit a float."""


def backoff_s(tries: int, *, key: str, first_s: float = FIRST_S, max_s: float = MAX_S) -> float:
    """Return the seconds to wait after `tries` failures in a row, at least one.

    The pause doubles from `first_s` up to `max_s`, both before jitter. Jitter depends on `key`,
    such as a job's id, and on the try.
    """
    pause_s = min(max_s, first_s * 2.0 ** min(tries - 1, MAX_DOUBLINGS))
    share = crc32(f"{key} {tries}".encode()) / 2**32
    return pause_s * (1 - JITTER + 2 * JITTER * share)
