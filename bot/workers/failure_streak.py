"""Pauses a worker on which song after song fails, so that other workers get the songs.

A song that also fails on other workers says nothing about this one, and does not count.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from bot.domain.backoff import backoff_s
from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId
from storage.work_queue.separations import Separations

log = logging.getLogger(__name__)

MOST_IN_A_ROW: Final = 3
"""The number of separations in a row that may fail before the worker pauses, of two songs at least:
a song that fails here is often tried here again, and may be bad."""
FIRST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 3600.0
REVIEW_EVERY_S: Final = 10.0
"""How often to check whether the songs have failed elsewhere. Their rows are deleted some time
after their jobs have ended."""


class FailureStreak:
    """Counts separations that failed here in a row."""

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
        self._failures: deque[JobId] = deque(maxlen=MOST_IN_A_ROW)
        self._pauses = 0
        self._paused_until: float | None = None

    @property
    def is_paused(self) -> bool:
        """Whether this worker should take no songs."""
        return self._paused_until is not None and self._monotonic_s() < self._paused_until

    @property
    def trouble(self) -> str | None:
        """Why this worker takes no songs; None if it takes them."""
        return f"{MOST_IN_A_ROW} separations in a row failed here" if self.is_paused else None

    def end(self) -> None:
        """Start over, since a song has succeeded."""
        self._failures.clear()
        self._pauses, self._paused_until = 0, None

    async def add(self, job_id: JobId) -> None:
        """Count a song that has failed; pause if there are too many, longer each time."""
        self._failures.append(job_id)
        await self.review()
        # Until a song succeeds, a single failure after a pause is enough for another pause.
        are_several = len(set(self._failures)) > 1 or self._pauses > 0
        if self.is_paused or len(self._failures) < MOST_IN_A_ROW or not are_several:
            return
        self._pauses += 1
        pause_s = backoff_s(
            self._pauses, key=self._worker, first_s=FIRST_PAUSE_S, max_s=LONGEST_PAUSE_S
        )
        self._paused_until = self._monotonic_s() + pause_s
        log.error(
            "%d separations in a row failed on this worker, so it pauses for %.0f s",
            MOST_IN_A_ROW,
            pause_s,
        )

    async def review(self) -> None:
        """Forget the songs that have also failed on other workers, and end a pause due to them."""
        for job_id in set(self._failures):
            with suppress(StoreUnavailable):  # the next review tries again
                if await self._separations.has_failed_elsewhere(job_id, worker=self._worker):
                    self._forget(job_id)
        if self.is_paused and len(self._failures) < MOST_IN_A_ROW:
            self._pauses, self._paused_until = self._pauses - 1, None
            log.info("songs that failed here have also failed elsewhere, so the pause is over")

    def _forget(self, job_id: JobId) -> None:
        left = [each for each in self._failures if each != job_id]
        self._failures.clear()
        self._failures.extend(left)

    async def follow(self) -> NoReturn:
        """Review until cancelled."""
        while True:
            await asyncio.sleep(REVIEW_EVERY_S)
            await self.review()
