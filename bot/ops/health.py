"""Checks whether the bot can do its work, by trying it.

Problems that only the operator can fix are logged again at growing intervals until they are fixed.
"""

import asyncio
import logging
from collections.abc import Callable

from bot.domain.clock import Clock
from bot.domain.errors import StoreUnavailable
from storage.database.protocols import Database
from storage.files.data_dir import DataDir
from storage.files.ownership import DataUnusable

log = logging.getLogger(__name__)

KEPT_S = 5.0
"""Checks younger than this are reused: they write to the disk, and anyone on the network can
request one."""
LOOK_EVERY_S = 30.0
LONGEST_SILENCE_S = 3600.0


class Health:
    """Checks the store, the data directory and the connection to Discord."""

    def __init__(
        self,
        *,
        db: Database,
        data: DataDir,
        is_online: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._db = db
        self._data = data
        self._is_online = is_online
        self._clock = clock
        self._looking = asyncio.Lock()
        self._seen: tuple[float, dict[str, str | None]] | None = None
        self._told: dict[str, tuple[float, float]] = {}

    async def check(self) -> dict[str, bool]:
        """Return by name whether each of `store`, `files` and `discord` works."""
        problems = await self._problems()
        found = {name: problem is None for name, problem in problems.items()}
        return {**found, "discord": self._is_online()}

    async def watch(self) -> None:
        """Check periodically until cancelled, logging what does not work."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Log what does not work, unless it was logged recently, and what works again."""
        now = self._clock.monotonic()
        for name, problem in (await self._problems()).items():
            told_at, silence_s = self._told.get(name, (now, 0.0))
            if problem is None:
                if self._told.pop(name, None):
                    log.info("the %s can be used again", name)
            elif now - told_at >= silence_s:
                log.error("the %s cannot be used: %s", name, problem)
                longer_s = min(LONGEST_SILENCE_S, max(LOOK_EVERY_S, 2 * silence_s))
                self._told[name] = (now, longer_s)

    async def _problems(self) -> dict[str, str | None]:
        async with self._looking:
            now = self._clock.monotonic()
            if self._seen is None or now - self._seen[0] >= KEPT_S:
                self._seen = now, {"store": await self._store(), "files": await self._files()}
            return self._seen[1]

    async def _store(self) -> str | None:
        try:
            await self._db.probe()
        except StoreUnavailable as exc:
            return str(exc)
        return None

    async def _files(self) -> str | None:
        try:
            await asyncio.to_thread(self._data.check_writable)
        except (DataUnusable, OSError) as exc:
            return str(exc)
        return None
