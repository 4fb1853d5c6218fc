"""An event loop whose time runs faster than the machine's, at a speed set in a file.

Hours of retries pass in minutes. Threads, other processes and the machine's clock are unaffected.
"""

import asyncio
import selectors
import time
from functools import partial
from pathlib import Path

from tests.chaos.file_value import RELOAD_EVERY_S, FileValue, put

REPORT_EVERY_S = 0.1


class VirtualTime:
    """The loop's time, which runs at the speed in the file."""

    def __init__(self, speed: FileValue) -> None:
        self._file = speed
        self._speed = 1.0
        self._real_s = self._virtual_s = time.monotonic()

    def now(self) -> float:
        """Return the virtual time in seconds."""
        real_s = time.monotonic()
        virtual_s = self._virtual_s + (real_s - self._real_s) * self._speed
        if (speed := self._file.read()) != self._speed:
            self._real_s, self._virtual_s, self._speed = real_s, virtual_s, speed
        return virtual_s

    @property
    def speed(self) -> float:
        """Virtual seconds per second of the machine's clock."""
        return self._speed

    @property
    def ahead_s(self) -> float:
        """Seconds by which the virtual time is ahead of the machine's."""
        return self.now() - time.monotonic()

    async def report(self, file: Path) -> None:
        """Keep writing to the file how far the virtual time is ahead."""
        while True:
            put(file, self.ahead_s)
            await asyncio.sleep(REPORT_EVERY_S * self.speed)


class _Selector(selectors.DefaultSelector):
    """Converts virtual timeouts to real ones."""

    def __init__(self, virtual: VirtualTime) -> None:
        super().__init__()
        self._virtual = virtual

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            timeout = min(timeout / self._virtual.speed, RELOAD_EVERY_S)
        found: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that runs on virtual time."""

    def __init__(self, virtual: VirtualTime) -> None:
        super().__init__(_Selector(virtual))
        self.virtual = virtual

    def time(self) -> float:
        """Return the virtual time, which all timers of the loop use."""
        return self.virtual.now()


def run_by(virtual: VirtualTime) -> None:
    """Make `asyncio.run` in this process use loops on virtual time from now on."""
    # Event loop policies, the intended way, were deprecated in Python 3.14.
    asyncio.events.new_event_loop = partial(VirtualTimeLoop, virtual)
