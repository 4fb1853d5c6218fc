"""The sandbox's clock: the machine's time plus an offset that only grows."""

import time
from datetime import UTC, datetime


class SandboxClock:
    """The clock that determines all expiry in the sandbox."""

    def __init__(self) -> None:
        self._offset_s = 0.0

    @property
    def offset_s(self) -> float:
        """Seconds by which this clock is ahead of the machine's."""
        return self._offset_s

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset_s

    def advance(self, seconds: float) -> None:
        """Move the clock ahead. Ids and signatures rely on time never going back."""
        if not 0 <= seconds <= 10 * 365 * 86_400:
            raise ValueError("the clock only moves ahead, and by ten years at most")
        self._offset_s += seconds


def iso(epoch_s: float) -> str:
    """Format a time as Discord does."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()
