"""Rewrites the database's files to remove all traces of deleted data.

A scrub is expensive, so it runs at most once every few minutes and serves all requests made since
the last one. Due scrubs are stored, so they survive a restart.
"""

import asyncio
import logging

from bot.domain.clock import Clock, SystemClock
from bot.domain.errors import StoreUnavailable
from storage.database.protocols import Connection, Database

log = logging.getLogger(__name__)

AT_MOST_EVERY_S = 300.0

_DUE = "scrub due"
_ASK = """
INSERT INTO meta (key, value) VALUES (:key, '1')
ON CONFLICT (key) DO UPDATE SET value = CAST(meta.value AS bigint) + 1
"""
_ASKED = "SELECT value FROM meta WHERE key = :key"
_DONE = "DELETE FROM meta WHERE key = :key AND value = :asked"


async def ask_for_scrub(conn: Connection) -> None:
    """Record in the caller's transaction that a scrub is due."""
    await conn.execute(_ASK, {"key": _DUE})


class Scrubber:
    """Runs due scrubs."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock | None = None,
        at_most_every_s: float = AT_MOST_EVERY_S,
    ) -> None:
        self._db = db
        self._clock = clock or SystemClock()
        self._at_most_every_s = at_most_every_s
        self._scrubbing = asyncio.Lock()
        self._last_at: float | None = None

    async def scrub_if_due(self) -> bool:
        """Run a due scrub unless the last one was too recent, and return whether it succeeded.

        If the store is full or locked, the scrub stays due.
        """
        async with self._scrubbing:
            now = self._clock.monotonic()
            if self._last_at is not None and now - self._last_at < self._at_most_every_s:
                return False
            rows = await self._db.read(_ASKED, {"key": _DUE})
            if not rows:
                return False
            self._last_at = now
            values = {"key": _DUE, "asked": rows[0]["value"]}
            try:
                await self._db.scrub()
                await self._db.write(lambda conn: conn.execute(_DONE, values))
            except StoreUnavailable as exc:
                log.warning("deleted data stays in the database's files for now: %s", exc)
                return False
            return True
