"""Cancelling: the state first, then the step under way, then what the job leaves behind."""

from bot.domain.errors import Problem, StateMoved
from bot.domain.job import Job, State
from bot.jobs.runner import Runner
from bot.jobs.submit import SubmitStep
from bot.jobs.termination import Termination
from storage.stores.job_store import JobStore


class Cancellation:
    """Ends jobs from outside their own steps."""

    def __init__(
        self, *, jobs: JobStore, endings: Termination, submits: SubmitStep, runner: Runner
    ) -> None:
        self._jobs = jobs
        self._endings = endings
        self._submits = submits
        self._runner = runner

    async def cancel(self, job: Job, problem: Problem) -> Job:
        """Cancel a job and give its minutes back.

        A job that is ready is paid for and on its way, so it is returned as it is, like one that
        is over. A submit in flight is not torn: its answer is recorded as abandoned.
        """
        while not (job.state.is_final or job.state is State.READY):
            try:
                cancelled = await self._endings.cancel(job, problem)
            except StateMoved:
                job = await self._jobs.get(job.id) or job
                continue
            try:
                await self._runner.interrupt(job.id)
                for attempt in await self._jobs.attempts(job.id):
                    await self._submits.abandon(attempt)
            finally:
                # Whatever went wrong: others wait for its place in the line.
                await self._endings.clear(cancelled)
            return cancelled
        return job
