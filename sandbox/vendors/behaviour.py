"""A vendor's current behaviour, which tests and the page can change while it runs."""

import asyncio
from dataclasses import dataclass, field

from sandbox.vendors.modes import POINT, Mode, Point


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """The current mode and its delays. If `times` is None, the mode stays until it is changed."""

    latency_s: float
    mode: Mode = Mode.OK
    times: int | None = None
    retry_after_s: int | None = None
    drip_s: float = 0.5
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def change(self, mode: Mode, times: int | None = None) -> None:
        """Switch to a mode, and release the requests that hang in the previous one."""
        self.mode = mode
        self.times = times
        self._changed.set()
        self._changed = asyncio.Event()

    def take(self, point: Point) -> Mode:
        """Return `ok`, or the mode if it takes effect at this point, decrementing `times`."""
        if POINT[self.mode] is not point:
            return Mode.OK
        mode = self.mode
        if self.times is not None:
            self.times -= 1
            if self.times == 0:
                self.mode, self.times = Mode.OK, None
        return mode

    async def wait_for_change(self) -> None:
        """Wait until the mode changes."""
        await self._changed.wait()
