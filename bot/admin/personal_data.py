"""Personal data: lists who receives songs and how long audio is kept, and deletes a user's data."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

from bot.accounts.quotas import Quotas
from bot.batches.batch_service import BatchService
from bot.delivery.port import DeliveryPort
from bot.delivery.song_analyser import SongAnalyser
from bot.domain.errors import Problem, Reason, StateMoved
from bot.domain.job import Job, JobId, State, UserId
from bot.jobs.job_runtime import Core
from bot.jobs.termination import Termination
from storage.upkeep.forgetting import Forgetting

log = logging.getLogger(__name__)

ALL = 1_000_000
LAST_EDITS_S = 5.0
"""The time that deletion gives replies to show that their jobs were cancelled."""
LOOKS = 100


class Privacy:
    """Reports how a user's data is handled, and deletes it."""

    def __init__(
        self,
        *,
        core: Core,
        forgetting: Forgetting,
        termination: Termination,
        delivery: DeliveryPort,
        analyser: SongAnalyser,
        batches: BatchService,
        quotas: Quotas,
        keep: timedelta,
        last_edits_s: float = LAST_EDITS_S,
    ) -> None:
        self._core = core
        self._jobs = core.jobs
        self._forgetting = forgetting
        self._termination = termination
        self._delivery = delivery
        self._analyser = analyser
        self._batches = batches
        self._quotas = quotas
        self._keep = keep
        self._last_edits_s = last_edits_s

    @property
    def recipients(self) -> tuple[str, ...]:
        """The titles of the providers that receive songs."""
        declared = (each.capabilities for each in self._core.providers.values())
        return tuple(each.title for each in declared if each.is_hosted)

    @property
    def keep(self) -> timedelta:
        """The time for which audio is kept."""
        return self._keep

    async def forget(self, user_id: UserId) -> int:
        """Cancel the user's jobs, delete all their data and return the number of deleted jobs.

        Two things are kept under pseudonyms: this period's minutes until it ends, so that a user
        cannot spend them twice, and others' decisions about the user while those stand. Safe to
        repeat. Raises StoreUnavailable.
        """
        await self._batches.cancel_all(user_id)
        jobs = await self._jobs.of_user(user_id, ALL)
        for job in jobs:
            await self._stop(job)
            await self._core.files.remove(job.id)
        self._core.board.poke()
        await self._let_replies_end(user_id)
        emptied = await self._forgetting.forget(user_id, self._quotas.period)
        for job in jobs:
            self._delivery.forget(job.id)
            self._analyser.forget(job.id)
            if self._core.is_of_other_bot(job):
                await self._core.tell_its_bot(job.id)
        log.info("a user is forgotten, with %d jobs", emptied, extra={"action": "forgotten"})
        return emptied

    async def _stop(self, job: Job) -> None:
        while not job.state.is_final:
            if job.state is State.READY:
                # A ready job is paid for and cannot be cancelled, but its result is no longer
                # wanted. While the bot starts, the job may be resumed in between, so it is
                # interrupted twice.
                await self._core.runtimes.interrupt(job.id)
                with suppress(StateMoved):
                    await self._keep_ready(job.id)
                await self._core.runtimes.interrupt(job.id)
            else:
                await self._termination.cancel(job, Problem(Reason.STOPPED_BY_USER))
            job = await self._jobs.get(job.id) or job

    async def _keep_ready(self, job_id: JobId) -> None:
        job = await self._jobs.get(job_id)
        if job is not None and job.state is State.READY:
            kept = job.kept(self._core.clock.now(), problem=Problem(Reason.STOPPED_BY_USER))
            await self._jobs.save(kept, expected=State.READY)

    async def _let_replies_end(self, user_id: UserId) -> None:
        for _ in range(LOOKS):
            if not await self._forgetting.owed_replies(user_id):
                return
            await asyncio.sleep(self._last_edits_s / LOOKS)
        log.warning("replies of a forgotten user could not be updated")
