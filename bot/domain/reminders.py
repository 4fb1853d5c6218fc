"""When to log a condition that lasts: at once, then at most once a minute."""

from collections.abc import Hashable

REMIND_EVERY_S = 60.0
"""The least time between two log lines about one condition."""


class Reminders:
    """Remembers when each condition was last logged, for a loop that meets it at every try."""

    def __init__(self) -> None:
        self._told_at: dict[Hashable, float] = {}

    def is_due(self, condition: Hashable, now: float) -> bool:
        """Whether to log the condition now, in monotonic seconds; if so, it counts as logged.

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
