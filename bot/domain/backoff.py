"""How long to leave alone what was just tried in vain: longer each time, and not all alike.

Pure: the same try of the same job pauses equally long whenever it is asked about, so that a job
which is woken meanwhile does not start over.
"""

from zlib import crc32

FIRST_S = 2.0
LONGEST_S = 30.0
SPREAD = 0.25
"""By how much a pause may differ either way, so that those who failed together come back apart."""

_LONGEST_AFTER = 10


def backoff_s(tries: int, *, who: str) -> float:
    """Return the pause after so many tries in vain, at least one, of `who`."""
    usual_s = min(LONGEST_S, FIRST_S * 2.0 ** min(tries - 1, _LONGEST_AFTER))
    chance = crc32(f"{who} {tries}".encode()) / 2**32
    return usual_s * (1 - SPREAD + 2 * SPREAD * chance)
