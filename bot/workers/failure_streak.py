"""Pauses a worker on which song after song fails, so that other workers get the songs.

A song that also fails on other workers says nothing about this one, and does not count.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from bot.domain.backoff import backoff_s
from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId
from storage.work_queue.separations import Separations

log = logging.getLogger(__name__)

MOST_IN_A_ROW: Final = 3
"""The number of songs in a row that may fail before the worker pauses."""
FIRST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 3600.0
REVIEW_EVERY_S: Final = 10.0
"""How often to check whether the songs have failed elsewhere. Their rows are deleted some time
after their jobs have ended."""


class FailureStreak:
    """Counts songs that failed here in a row, each once."""

    def __init__(
        self,
        *,
        separations: Separations,
        worker: str,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`worker` is the id of this worker."""
        self._separations = separations
        self._worker = worker
        self._monotonic_s = monotonic_s
        self._songs: dict[JobId, None] = {}
        self._pauses = 0
        self._paused_until: float | None = None

    @property
    def is_paused(self) -> bool:
        """Whether this worker should take no songs."""
        return self._paused_until is not None and self._monotonic_s() < self._paused_until

    @property
    def trouble(self) -> str | None:
        """Why this worker takes no songs; None if it takes them."""
        return f"{MOST_IN_A_ROW} songs in a row failed here" if self.is_paused else None

    def end(self) -> None:
        """Start over, since a song has succeeded."""
        self._songs.clear()
        self._pauses, self._paused_until = 0, None

    async def add(self, job_id: JobId) -> None:
        """Count a song that has failed; pause if there are too many, longer each time."""
        self._songs[job_id] = None
        if len(self._songs) > MOST_IN_A_ROW:
            del self._songs[next(iter(self._songs))]
        await self.review()
        if len(self._songs) < MOST_IN_A_ROW or self.is_paused:
            return
        self._pauses += 1
        pause_s = backoff_s(
            self._pauses, key=self._worker, first_s=FIRST_PAUSE_S, max_s=LONGEST_PAUSE_S
        )
        self._paused_until = self._monotonic_s() + pause_s
        log.error(
            "%d songs in a row failed on this worker, so it pauses for %.0f s",
            MOST_IN_A_ROW,
            pause_s,
        )

    async def review(self) -> None:
        """Forget the songs that have also failed on other workers, and end a pause due to them."""
        for job_id in list(self._songs):
            with suppress(StoreUnavailable):  # another time
                if await self._separations.has_failed_elsewhere(job_id, worker=self._worker):
                    self._songs.pop(job_id, None)
        if self.is_paused and len(self._songs) < MOST_IN_A_ROW:
            self._pauses, self._paused_until = self._pauses - 1, None
            log.info("songs that failed here have also failed elsewhere, so the pause is over")

    async def follow(self) -> NoReturn:
        """Review until cancelled."""
        while True:
            await asyncio.sleep(REVIEW_EVERY_S)
            await self.review()
