"""The sandbox's time: the machine's clock plus an offset that only grows."""

import time
from datetime import UTC, datetime


class SandboxClock:
    """The clock that everything in the sandbox expires by."""

    def __init__(self) -> None:
        self._offset_s = 0.0

    @property
    def offset_s(self) -> float:
        """How far this clock is ahead of the machine's."""
        return self._offset_s

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset_s

    def advance(self, seconds: float) -> None:
        """Move ahead; ids and signatures rely on time that never goes back."""
        if not 0 <= seconds <= 10 * 365 * 86_400:
            raise ValueError("the clock only moves ahead, and by ten years at most")
        self._offset_s += seconds


def iso(epoch_s: float) -> str:
    """Format a time as Discord does."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()
