"""Advances batches: starts songs within the user's limit, and ends a batch after its last song.

All state is in the store, so batches continue after a restart.
"""

import asyncio
import logging
from dataclasses import replace

from bot.domain.backoff import Reminders
from bot.domain.clock import Clock
from bot.domain.errors import Problem, Reason, Rejected, StateMoved, StoreUnavailable
from bot.domain.job import BatchId, Request
from bot.jobs.split_service import SplitService
from storage.stores.batches import Batch, BatchContent, BatchSong, BatchStore

log = logging.getLogger(__name__)

SWEEP_S = 5.0
"""The poll interval for open batches, in case a job's end was missed."""
IDLE_SWEEP_S = 60.0
"""The poll interval without an open batch; only another bot adds one without a call of `wake`."""
_PASSING = frozenset({Reason.TOO_MANY_JOBS, Reason.BUSY})
"""The reasons for which a song keeps waiting in its batch."""


class BatchRunner:
    """Runs every open batch until each of its songs has ended."""

    def __init__(
        self, *, store: BatchStore, splits: SplitService, clock: Clock, sweep_s: float = SWEEP_S
    ) -> None:
        self._store = store
        self._splits = splits
        self._clock = clock
        self._sweep_s = sweep_s
        self._woken = asyncio.Event()
        self._advancing = asyncio.Lock()
        self._has_open = True
        self._reminders = Reminders()

    def wake(self) -> None:
        """Advance the batches now, because a batch was added or a job has ended."""
        self._woken.set()

    def job_ended(self) -> None:
        """Advance the batches if any is open."""
        if self._has_open:
            self.wake()

    async def run(self) -> None:
        """Run batches until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.advance_all()
            except StoreUnavailable as exc:
                if self._reminders.is_due(str(exc), self._clock.monotonic()):
                    log.warning("batches wait for the store: %s", exc)
            try:
                async with asyncio.timeout(self._sweep_s if self._has_open else IDLE_SWEEP_S):
                    await self._woken.wait()
            except TimeoutError:
                pass  # advance anyway

    async def advance_all(self) -> None:
        """Advance each batch as far as possible."""
        self._has_open = True
        for batch_id in await self._store.due(max_active=self._splits.max_active_jobs):
            await self.advance(batch_id)
        self._has_open = await self._store.has_open()

    async def advance(self, batch_id: BatchId) -> None:
        """Advance a batch as far as possible. Safe to repeat."""
        async with self._advancing:
            content = await self._store.content(batch_id)
            if content is None or content.batch.is_final:
                return
            if content.batch.reason is not None:
                await self._stop_jobs(content, content.batch.reason)
            else:
                await self._start_songs(content)
            if await self._store.close(batch_id, self._clock.now()):
                log.info("batch %s has ended", batch_id)

    async def _stop_jobs(self, content: BatchContent, reason: Reason) -> None:
        for job in content.jobs.values():
            if not job.state.is_final:
                await self._splits.stop(job, reason)

    async def _start_songs(self, content: BatchContent) -> None:
        active = sum(not job.state.is_final for job in content.jobs.values())
        waiting = [song for song in content.songs if song.is_waiting]
        while waiting and active < self._splits.max_active_jobs:
            started = await self._start(content.batch, waiting.pop(0))
            if started is None:
                return
            active += started

    async def _start(self, batch: Batch, song: BatchSong) -> bool | None:
        """Create a song's job, or record its refusal.

        Returns whether the song now has a job, or None if it must wait.
        """
        try:
            await self._splits.start_in_batch(
                batch_id=batch.id,
                number=song.number,
                request=_request(batch, song),
                reply=replace(batch.reply, token=None, token_expires_at=None, message_id=None),
            )
        except StateMoved:
            return False  # the song was cancelled in the meantime
        except Rejected as exc:
            if exc.problem.reason in _PASSING:
                return None
            await self._refuse(batch, song, exc.problem)
            return False
        return True

    async def _refuse(self, batch: Batch, song: BatchSong, problem: Problem) -> None:
        log.info("song %d of batch %s was refused: %s", song.number, batch.id, problem.reason)
        await self._store.refuse(batch.id, song.number, self._clock.now(), problem)


def _request(batch: Batch, song: BatchSong) -> Request:
    return Request(
        user_id=batch.user_id,
        source=song.source,
        recipe=batch.recipe,
        audio_format=batch.audio_format,
        entry=batch.entry,
        role_ids=batch.role_ids,
    )
