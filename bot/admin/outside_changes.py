"""Follows what other bots of the database do to this bot's jobs and to shared places."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from bot.delivery.port import DeliveryPort
from bot.delivery.song_analyser import SongAnalyser
from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId, State
from bot.jobs.job_runtime import Core
from bot.jobs.reconcile import AttemptReconciler
from bot.jobs.runner import Runner
from bot.jobs.termination import Termination
from storage.groups.signals import Signal, SignalKind

log = logging.getLogger(__name__)


class OutsideChanges:
    """Acts on the signals of other bots."""

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
        self._has_listened = False

    def hear(self, signal: Signal) -> None:
        """Act on a signal, in the background."""
        match signal.kind:
            case SignalKind.JOB:
                self._in_background(self.follow(JobId(signal.subject)))
            case SignalKind.PLACE:
                signals, places = self._core.signals, self._core.shared_places
                is_ours = signals is not None and signal.group == str(signals.shards)
                if is_ours and places is not None:
                    places.offered(signal.subject)

    def listening(self) -> None:
        """Look at every job under way, unless no signal can have been missed yet."""
        if self._has_listened:
            self._in_background(self._follow_all())
        self._has_listened = True

    async def follow(self, job_id: JobId) -> None:
        """Do what a changed job needs. Safe to repeat, also for a job that did not change."""
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
        """End what is under way; the next start or the next reconciliation does the rest."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow_all(self) -> None:
        for runtime in self._core.runtimes:
            await self.follow(runtime.job_id)
        await self._reconciler.reconcile()  # of jobs whose own steps saw their end

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreUnavailable):
            log.info("a job that another bot changed is looked at later: %s", error)
        elif error is not None:
            log.error("a job that another bot changed could not be looked at", exc_info=error)
