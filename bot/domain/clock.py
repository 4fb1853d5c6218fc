"""An injectable clock, so that tests can set the time."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells wall-clock and monotonic time."""

    def now(self) -> datetime:
        """Return the wall-clock time as an aware datetime in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start, which never decrease; for waits and pacing."""
        ...


class SystemClock:
    """The system's clock."""

    def now(self) -> datetime:
        """Return the wall-clock time as an aware datetime in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start, which never decrease."""
        return time.monotonic()
