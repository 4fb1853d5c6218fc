"""Maps each state of a job to its step; the runner decides when steps are taken."""

from collections.abc import Sequence

from bot.domain.attempt import Attempt
from bot.domain.errors import NoRoom, Problem, Reason, Rejected, StateMoved
from bot.domain.job import Job, State
from bot.jobs.deliver import DeliverStep
from bot.jobs.disk_needs import DiskNeeds
from bot.jobs.intake import IntakeStep
from bot.jobs.job_runtime import Core, Done, JobRuntime, RetryAfter, StepResult
from bot.jobs.poll import PollStep
from bot.jobs.submit import SubmitStep
from bot.jobs.termination import Termination


class Steps:
    """Takes the step for a job's state, and decides what a step's error means for the job."""

    def __init__(
        self,
        *,
        core: Core,
        intake: IntakeStep,
        submit: SubmitStep,
        poll: PollStep,
        deliver: DeliverStep,
        termination: Termination,
        needs: DiskNeeds,
    ) -> None:
        self._disk_guard = core.disk_guard
        self._needs = needs
        self._jobs = core.jobs
        self._queue = core.queue
        self._intake = intake
        self._submit = submit
        self._poll = poll
        self._deliver = deliver
        self._termination = termination

    async def advance(self, runtime: JobRuntime) -> StepResult:
        """Take the job one step further.

        A step may run twice. Raises unexpected errors.
        """
        found = await self._jobs.with_attempts(runtime.job_id)
        if found is None:
            self._queue.release(runtime.job_id)  # an unreadable job must not keep its place
            return Done()
        try:
            return await self._step_or_fail(*found, runtime)
        except StateMoved:
            return RetryAfter()  # cancelled meanwhile, so look again

    async def give_up(self, runtime: JobRuntime) -> StepResult:
        """End a job whose steps keep failing with an unexpected error."""
        job = await self._jobs.get(runtime.job_id)
        if job is None or job.state.is_final:
            return Done()
        if job.state is State.READY:
            return await self._deliver.keep(job, "its delivery keeps failing")
        return await self._termination.fail(job, Problem(Reason.INTERNAL))

    async def _step_or_fail(
        self, job: Job, attempts: Sequence[Attempt], runtime: JobRuntime
    ) -> StepResult:
        try:
            return await self._step(job, attempts, runtime)
        except Rejected as exc:
            return await self._termination.fail(job, exc.problem)

    async def _step(self, job: Job, attempts: Sequence[Attempt], runtime: JobRuntime) -> StepResult:
        match job.state:
            case State.RECEIVED:
                return await self._intake.take_in(job, runtime)
            case State.HELD | State.SUBMITTING:
                await self._disk_guard.require_floor(waiting=job.id)
                await self._intake.restore(job)
                return await self._submit.submit(job, attempts, runtime)
            case State.PROCESSING:
                return await self._poll.poll(job, attempts, runtime)
            case State.READY:
                if not await self._disk_guard.promise(job.id, self._needs.to_deliver(job)):
                    raise NoRoom("stems wait to be encoded")
                return await self._deliver.deliver(job, runtime)
            case State.DELIVERED | State.KEPT | State.FAILED | State.CANCELLED:
                return Done()
