"""One job, one step further. No loop, no sleep, and nothing about when: that is the runner's."""

from bot.domain.errors import Problem, Reason, Rejected, StateMoved
from bot.domain.job import Job, JobId, State
from bot.jobs.deliver import DeliverStep
from bot.jobs.intake import IntakeStep
from bot.jobs.poll import PollStep
from bot.jobs.step_result import Done, RetryAfter, StepResult
from bot.jobs.submit import SubmitStep
from bot.jobs.termination import Termination
from storage.stores.job_store import JobStore


class Steps:
    """Knows which step belongs to which state, and what an error of a step means for the job."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        intake: IntakeStep,
        submits: SubmitStep,
        polls: PollStep,
        handover: DeliverStep,
        endings: Termination,
    ) -> None:
        self._jobs = jobs
        self._intake = intake
        self._submits = submits
        self._polls = polls
        self._handover = handover
        self._endings = endings

    async def advance(self, job_id: JobId) -> StepResult:
        """Take the job one step further. May run twice; raises what no step expects."""
        job = await self._jobs.get(job_id)
        if job is None:
            return Done()
        try:
            return await self._step_or_fail(job)
        except StateMoved:
            return RetryAfter()  # somebody cancelled it meanwhile: look again

    async def _step_or_fail(self, job: Job) -> StepResult:
        try:
            return await self._step(job)
        except Rejected as exc:
            return await self._endings.fail(job, exc.problem)

    async def _step(self, job: Job) -> StepResult:
        match job.state:
            case State.RECEIVED:
                return await self._intake.take_in(job)
            case State.HELD | State.SUBMITTING:
                return await self._submits.place(job)
            case State.PROCESSING:
                return await self._polls.poll(job)
            case State.READY:
                return await self._handover.deliver(job)
            case State.DELIVERED | State.KEPT | State.FAILED | State.CANCELLED:
                return Done()

    async def give_up(self, job_id: JobId) -> StepResult:
        """End a job whose steps keep failing for a reason that nobody expected."""
        job = await self._jobs.get(job_id)
        if job is None or job.state.is_final:
            return Done()
        if job.state is State.READY:
            return await self._handover.keep(job, "its delivery keeps failing")
        over = await self._endings.fail(job, Problem(Reason.INTERNAL))
        for attempt in await self._jobs.attempts(job_id):
            await self._submits.abandon(attempt)
        return over
