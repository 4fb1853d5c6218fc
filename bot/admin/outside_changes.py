"""Reacts to other bots' changes to this bot's jobs and to shared places."""

import asyncio
import itertools
import logging
import time
from collections.abc import Coroutine, Iterable
from typing import Any

from bot.delivery.port import DeliveryPort
from bot.delivery.song_analyser import SongAnalyser
from bot.domain.backoff import Reminders, backoff_s
from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId, State
from bot.jobs.job_runtime import Core
from bot.jobs.reconcile import AttemptReconciler
from bot.jobs.runner import Runner
from bot.jobs.termination import Termination
from storage.database.write_retry import retry_write
from storage.groups.signals import Signal, SignalKind

log = logging.getLogger(__name__)


class OutsideChanges:
    """Acts on signals from other bots."""

    def __init__(
        self,
        *,
        core: Core,
        runner: Runner,
        reconciler: AttemptReconciler,
        termination: Termination,
        delivery: DeliveryPort,
        analyser: SongAnalyser,
    ) -> None:
        self._core = core
        self._runner = runner
        self._reconciler = reconciler
        self._termination = termination
        self._delivery = delivery
        self._analyser = analyser
        self._tasks: set[asyncio.Task[None]] = set()
        self._reminders = Reminders()
        self._has_listened = False

    def hear(self, signal: Signal) -> None:
        """Act on a signal, in the background."""
        match signal.kind:
            case SignalKind.JOB:
                self._in_background(self._follow_each([JobId(signal.subject)]))
            case SignalKind.PLACE:
                signals, places = self._core.signals, self._core.shared_places
                is_ours = signals is not None and signal.group == str(signals.shards)
                if is_ours and places is not None:
                    places.offered(signal.subject)

    def listening(self) -> None:
        """Look at every job under way, unless no signal can have been missed."""
        if self._has_listened:
            self._in_background(self._follow_all())
        self._has_listened = True

    async def follow(self, job_id: JobId) -> None:
        """Do what a changed job needs. Safe to repeat, even for a job that did not change."""
        job = await self._core.jobs.get(job_id)
        if job is None:
            return
        is_ours = not self._core.is_of_other_bot(job)
        if is_ours and job.state is State.CANCELLED:
            await self._termination.clean_up(job)
        if is_ours and job.acknowledged_at is not None and not job.state.is_final:
            self._runner.run(job_id)
        self._core.runtimes.wake(job_id)
        if job.files_expired:
            self._delivery.forget(job_id)
            self._analyser.forget(job_id)
            await self._core.files.remove(job_id)
        self._core.board.poke()

    async def stop(self) -> None:
        """Cancel work under way; the next start or the next reconciliation does the rest."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow_all(self) -> None:
        await self._follow_each([runtime.job_id for runtime in self._core.runtimes])
        # This settles the attempts of jobs that had already ended.
        await retry_write(self._reconciler.reconcile, what="the end of open attempts")

    async def _follow_each(self, job_ids: Iterable[JobId]) -> None:
        """Follow these jobs, and retry those for which the store was unavailable."""
        for tries in itertools.count(1):
            job_ids = [job_id for job_id in job_ids if not await self._is_followed(job_id)]
            if not job_ids:
                return
            await asyncio.sleep(backoff_s(tries, key=job_ids[0]))

    async def _is_followed(self, job_id: JobId) -> bool:
        """Follow a job; return False if the store is unavailable. Other errors are logged."""
        [error] = await asyncio.gather(self.follow(job_id), return_exceptions=True)
        if isinstance(error, StoreUnavailable):
            if self._reminders.is_due(str(error), time.monotonic()):
                log.warning("%s, which another bot changed, waits: %s", job_id, error)
            return False
        if error is not None:
            log.error("%s: a change by another bot could not be followed", job_id, exc_info=error)
        return True

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("what other bots changed could not be followed", exc_info=error)
