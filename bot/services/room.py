"""Room on the disk: new jobs are refused while kept audio fills its share."""

import logging

from bot.domain.clock import Clock
from bot.domain.errors import Reason, Rejected
from storage.files import JobFiles

log = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0


class Room:
    """Knows how much the job files use, looking at the disk now and then only."""

    def __init__(self, *, files: JobFiles, clock: Clock, max_gib: float) -> None:
        self._files = files
        self._clock = clock
        self._max_bytes = int(max_gib * 1024**3)
        self._used_bytes = 0
        self._looked_at: float | None = None

    async def check(self) -> None:
        """Raise Rejected with DISK_FULL when no new job may be taken."""
        now = self._clock.monotonic()
        if self._looked_at is None or now - self._looked_at > LOOK_EVERY_S:
            self._looked_at = now
            self._used_bytes = await self._files.used_bytes()
        if self._used_bytes >= self._max_bytes:
            log.error("kept audio fills %d bytes of %d", self._used_bytes, self._max_bytes)
            raise Rejected(Reason.DISK_FULL)
