"""Retries: the pause before the next try, and how often to log its reason.

Pauses grow exponentially, with deterministic jitter. They depend only on the key and the number of
tries, so a job that is woken early does not start its pause over.
"""

from zlib import crc32

FIRST_S = 2.0
MAX_S = 30.0
JITTER = 0.25
"""Jitter changes a pause by up to this share, so that simultaneous failures spread out."""
MAX_DOUBLINGS = 32
"""The exponent's limit, since 2.0 ** 1024 overflows a float."""
REMIND_EVERY_S = 60.0
"""The least time between two log lines about one condition."""


def backoff_s(tries: int, *, key: str, first_s: float = FIRST_S, max_s: float = MAX_S) -> float:
    """Return the seconds to wait after `tries` consecutive failures (at least 1).

    The pause doubles from `first_s` up to `max_s`; jitter is added to that. It depends on `key`,
    such as a job's id, and on the number of tries.
    """
    pause_s = min(max_s, first_s * 2.0 ** min(tries - 1, MAX_DOUBLINGS))
    share = crc32(f"{key} {tries}".encode()) / 2**32
    return pause_s * (1 - JITTER + 2 * JITTER * share)


class Reminders:
    """Remembers when each condition was last logged, for a loop that meets it on every try."""

    def __init__(self) -> None:
        self._told_at: dict[object, float] = {}

    def is_due(self, condition: object, now: float) -> bool:
        """Return whether to log the condition at `now`, in monotonic seconds, and count it as
        logged.

        Conditions last logged more than `REMIND_EVERY_S` ago are forgotten.
        """
        self._told_at = {
            known: told_at
            for known, told_at in self._told_at.items()
            if now - told_at < REMIND_EVERY_S
        }
        if condition in self._told_at:
            return False
        self._told_at[condition] = now
        return True
