"""Room on the disk: new jobs are refused while kept audio fills its share, or anything the disk."""

import logging

from bot.domain.clock import Clock
from bot.domain.errors import Reason, Rejected
from storage.files.job_files import JobFiles

log = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0
RESERVE_BYTES = 256 * 1024**2
"""What new jobs leave free, for the database and for what is under way."""


class DiskGuard:
    """Knows how much the job files use, looking at the disk now and then only."""

    def __init__(
        self,
        *,
        files: JobFiles,
        clock: Clock,
        max_gib: float,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._files = files
        self._clock = clock
        self._max_bytes = int(max_gib * 1024**3)
        self._reserve_bytes = reserve_bytes
        self._is_full = False
        self._looked_at: float | None = None

    async def check(self) -> None:
        """Raise Rejected with DISK_FULL when no new job may be taken."""
        now = self._clock.monotonic()
        if self._looked_at is None or now - self._looked_at > LOOK_EVERY_S:
            self._looked_at = now
            self._is_full = await self._look()
        if self._is_full:
            raise Rejected(Reason.DISK_FULL)

    async def _look(self) -> bool:
        used, free = await self._files.used_bytes(), await self._files.free_bytes()
        is_full = used >= self._max_bytes or free < self._reserve_bytes
        if is_full:
            log.error("kept audio fills %d of %d bytes; %d are free", used, self._max_bytes, free)
        return is_full
