"""What is kept of users, who else gets it, and how everything of one of them is deleted."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from bot.accounts.quotas import Quotas
from bot.delivery.port import DeliveryPort
from bot.domain.clock import Clock
from bot.domain.errors import Problem, Reason
from bot.domain.job import Job, JobId, State, UserId
from bot.jobs.cancellation import Cancellation
from bot.jobs.runner import Runner
from bot.providers.interface import Capabilities
from bot.scheduling.progress import ProgressBoard
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore
from storage.upkeep.forgetting import Forgetting

log = logging.getLogger(__name__)

ALL = 1_000_000
LAST_EDITS_S = 5.0
"""How long replies may take to show that their jobs were stopped: after that no way leads there."""
LOOKS = 100


class Privacy:
    """Deletes what is a user's."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        forgetting: Forgetting,
        cancels: Cancellation,
        runner: Runner,
        delivery: DeliveryPort,
        quotas: Quotas,
        board: ProgressBoard,
        clock: Clock,
        providers: Sequence[Capabilities],
        keep: timedelta,
        last_edits_s: float = LAST_EDITS_S,
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._forgetting = forgetting
        self._cancels = cancels
        self._runner = runner
        self._delivery = delivery
        self._quotas = quotas
        self._board = board
        self._clock = clock
        self._providers = tuple(providers)
        self._keep = keep
        self._last_edits_s = last_edits_s

    @property
    def recipients(self) -> tuple[str, ...]:
        """The titles of those who get songs to separate them."""
        return tuple(each.title for each in self._providers if each.is_hosted)

    @property
    def keep(self) -> timedelta:
        """How long audio is kept."""
        return self._keep

    async def forget(self, user_id: UserId) -> int:
        """Stop the user's jobs, delete everything of theirs, and return how many songs that was.

        What may not be had twice stays, under names that only keys can tell: the minutes of this
        period, until it is over, and what others decided about the user, while that stands. Safe
        to repeat. Raises StoreUnavailable.
        """
        jobs = await self._jobs.of_user(user_id, ALL)
        for job in jobs:
            await self._stop(job)
            await self._files.remove(job.id)
        self._board.poke()
        await self._let_replies_end(user_id)
        emptied = await self._forgetting.forget(user_id, self._quotas.period)
        for job in jobs:
            self._delivery.forget(job.id)
        log.info("a user is forgotten, with %d jobs", emptied, extra={"action": "forgotten"})
        return emptied

    async def _stop(self, job: Job) -> None:
        while not job.state.is_final:
            if job.state is State.READY:
                # It is paid for, so it cannot be cancelled; nobody waits for it any more.
                await self._runner.interrupt(job.id)
                await self._keep_ready(job.id)
            else:
                await self._cancels.cancel(job, Problem(Reason.STOPPED_BY_USER))
            job = await self._jobs.get(job.id) or job

    async def _keep_ready(self, job_id: JobId) -> None:
        job = await self._jobs.get(job_id)
        if job is not None and job.state is State.READY:
            kept = job.kept(self._clock.now(), problem=Problem(Reason.STOPPED_BY_USER))
            await self._jobs.save(kept, expected=State.READY)
        self._board.drop(job_id)

    async def _let_replies_end(self, user_id: UserId) -> None:
        for _ in range(LOOKS):
            if not await self._forgetting.owed_replies(user_id):
                return
            await asyncio.sleep(self._last_edits_s / LOOKS)
        log.warning("replies of a user who is forgotten stay as they are")
