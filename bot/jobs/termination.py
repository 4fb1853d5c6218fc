"""How a job ends without a result: the state, the minutes given back, the place and files freed."""

import logging
from collections.abc import Mapping

from bot.domain.attempt import Attempt
from bot.domain.clock import Clock
from bot.domain.errors import Problem, ProviderError
from bot.domain.job import Job, State
from bot.domain.minutes import Refund, Void
from bot.jobs.step_result import Done
from bot.providers.interface import Provider
from bot.scheduling.progress import ProgressBoard
from bot.scheduling.provider_queue import ProviderQueue
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)


class Termination:
    """Ends jobs; each way is one guarded transaction, and raises StateMoved when it lost a race."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        line: ProviderQueue,
        board: ProgressBoard,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._line = line
        self._board = board
        self._clock = clock

    async def fail(self, job: Job, problem: Problem) -> Done:
        """End a job for a reason that its reply will explain; nothing is charged."""
        ended = job.failed(self._clock.now(), problem)
        back = Refund(job.id) if job.state is State.READY else Void(job.id)
        await self._jobs.save(ended, expected=job.state, ledger=back, note=problem.reason)
        await self.clear(ended)
        return Done()

    async def cancel(self, job: Job, problem: Problem) -> Job:
        """End a job because somebody wants it ended; `clear` it once its step has stopped."""
        ended = job.cancelled(self._clock.now(), problem)
        await self._jobs.save(ended, expected=job.state, ledger=Void(job.id), note=problem.reason)
        return ended

    async def clear(self, job: Job) -> None:
        """Free the place and the files of a job that ended, and have its reply say so."""
        reason = job.problem.reason if job.problem else None
        log.info(
            "%s is %s: %s", job.id, job.state, reason, extra={"job": job.id, "action": job.state}
        )
        self._line.release(job.id)
        self._board.drop(job.id)
        self._board.poke()
        await self._files.remove(job.id)


async def cancel_remote(attempt: Attempt, providers: Mapping[str, Provider]) -> None:
    """Tell the provider, where it can be told; it is told once, whether it takes note or not."""
    provider = providers.get(attempt.provider)
    if provider is None or not provider.capabilities.can_cancel or attempt.ref is None:
        return
    try:
        await provider.cancel(attempt.ref)
    except ProviderError as exc:
        log.warning("%s: %s was not told: %s", attempt.job_id, attempt.provider, type(exc).__name__)
