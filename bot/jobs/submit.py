"""From `held` to `processing`: choose a provider, wait for a place, send once, write the answer.

The one step that may not run twice is the submit itself. Its attempt row is committed before the
call; whatever comes back is written to that row, whatever became of the job meanwhile. A row that
is found still `sending` belongs to a process that died: nobody knows, so it is never sent again.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from bot.accounts.spend import SpendCaps
from bot.domain.attempt import Attempt, AttemptError, AttemptState
from bot.domain.clock import Clock
from bot.domain.errors import (
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    SpendCapReached,
    StateMoved,
    SubmitUncertain,
)
from bot.domain.job import Job, JobId
from bot.domain.minutes import minutes_of
from bot.jobs.step_result import AwaitWake, RetryAfter, StepResult
from bot.jobs.termination import Termination, cancel_remote
from bot.providers.interface import Accepted, Call, Finished, Provider, Source
from bot.scheduling.candidates import Candidates
from bot.scheduling.circuit_breaker import CircuitBreaker
from bot.scheduling.plans import Plan
from bot.scheduling.progress import Progress, ProgressBoard, Stage, former_of
from bot.scheduling.provider_queue import ProviderQueue
from bot.scheduling.queue_positions import QueuePositions
from bot.scheduling.routing import Cooldown, Exhausted, Go, Retry
from bot.scheduling.sources import Sources
from storage.database.write_retry import retry_write
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 15.0
"""While nobody can take a job; somebody may be able to sooner than said."""


class SubmitStep:
    """Sends jobs to providers, each at most once where a repetition could cost."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        providers: Mapping[str, Provider],
        candidates: Candidates,
        line: ProviderQueue,
        health: CircuitBreaker,
        waits: QueuePositions,
        spend: SpendCaps,
        sources: Sources,
        endings: Termination,
        board: ProgressBoard,
        clock: Clock,
        timeout: timedelta,
    ) -> None:
        """`timeout` is what an attempt may take; some services work while their caller waits."""
        self._jobs = jobs
        self._files = files
        self._providers = providers
        self._candidates = candidates
        self._line = line
        self._health = health
        self._waits = waits
        self._spend = spend
        self._sources = sources
        self._endings = endings
        self._board = board
        self._clock = clock
        self._timeout = timeout
        self._sending: dict[JobId, asyncio.Task[StepResult]] = {}
        self._is_closed = False

    async def place(self, job: Job) -> StepResult:
        """Move the job to a provider, or into its line."""
        if job.id in self._sending or self._is_closed:
            return AwaitWake()
        attempts = [await self._settle(each) for each in await self._jobs.attempts(job.id)]
        match await self._candidates.route(job, attempts):
            case Exhausted(problem):
                return await self._endings.fail(job, problem)
            case (Retry() | Cooldown()) as wait:
                return self._wait(job, wait)
            case Go(plan):
                return await self._enter(job, plan, attempts)

    async def aclose(self, *, grace_s: float) -> None:
        """Send nothing more, and let submits in flight be answered within the grace.

        Whatever a hosted provider may have got without an answer is recorded uncertain.
        """
        self._is_closed = True
        if self._sending:
            await asyncio.wait(self._sending.values(), timeout=grace_s)
        while tasks := list(self._sending.values()):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self, attempt: Attempt) -> Attempt:
        if attempt.state is not AttemptState.SENDING:
            return attempt
        provider = self._providers.get(attempt.provider)
        is_harmless = provider is not None and provider.capabilities.is_resubmittable
        state = AttemptState.FAILED if is_harmless else AttemptState.UNCERTAIN
        settled = attempt.ended(self._clock.now(), state, AttemptError.INTERRUPTED)
        await self._jobs.record(settled)
        return settled

    def _wait(self, job: Job, wait: Retry | Cooldown) -> StepResult:
        """Show what is waited for; while it pauses, a job holds up nobody behind it in a line."""
        provider, ahead = wait.plan.provider, None
        match wait:
            case Cooldown():
                ahead = self._line.enqueue(provider, job)
            case Retry():
                self._line.release(job.id)
        self._board.put(
            job.id,
            Progress(
                stage=Stage.WAITING,
                ahead=ahead,
                eta_s=wait.after_s,
                provider=wait.plan.capabilities.title,
            ),
        )
        return RetryAfter(after_s=min(wait.after_s, LOOK_AGAIN_S))

    async def _enter(self, job: Job, plan: Plan, attempts: list[Attempt]) -> StepResult:
        if self._line.acquire(plan.provider, job) is not None:
            self._waits.publish(plan.provider, job, self._line.ahead(job.id))
            return AwaitWake()
        number = 1 + sum(each.provider == plan.provider for each in attempts)
        # What may go wrong here is no attempt yet, and must not close the provider for this job.
        call, source = await self._enclosed(job, plan, number)
        now = self._clock.now()
        attempt = Attempt(
            job_id=job.id,
            provider=plan.provider,
            number=number,
            model=plan.model.name,
            cost_minutes=minutes_of(job.frames or 0) if plan.capabilities.is_hosted else 0,
            submitted_at=now,
            updated_at=now,
        )
        submitting = job.submitting(now, provider=plan.provider)
        caps = await self._spend.of(job) if plan.capabilities.is_hosted else ()
        try:
            await self._jobs.save(submitting, expected=job.state, attempt=attempt, caps=caps)
        except SpendCapReached:
            self._line.release(job.id)
            return RetryAfter()
        self._board.put(
            job.id,
            Progress(
                stage=Stage.SENDING,
                provider=plan.capabilities.title,
                former=former_of(plan.provider, attempts, self._providers),
            ),
        )
        return await self._send(submitting, attempt, call, source)

    async def _enclosed(self, job: Job, plan: Plan, number: int) -> tuple[Call, Source]:
        where = await self._files.prepare(job.id)
        call = Call(job_id=job.id, attempt=number, model=plan.model, workdir=where.work)
        url = await self._sources.address_of(job)
        return call, Source(mixture=where.mixture, frames=job.frames or 0, url=url)

    async def _send(self, job: Job, attempt: Attempt, call: Call, source: Source) -> StepResult:
        # A cancelled step must not tear the submit from its answer.
        submit = self._submit(job, attempt, call, source)
        task = asyncio.create_task(submit, name=f"submit {job.id}")
        self._sending[job.id] = task
        task.add_done_callback(lambda _: self._sending.pop(job.id, None))
        return await asyncio.shield(task)

    async def _submit(self, job: Job, attempt: Attempt, call: Call, source: Source) -> StepResult:
        provider = self._providers[attempt.provider]
        try:
            answer = await self._answer_of(provider, call, source)
        except ProviderError as exc:
            return await self._not_accepted(job, attempt, exc)
        except asyncio.CancelledError:
            is_hosted = provider.capabilities.is_hosted
            state = AttemptState.UNCERTAIN if is_hosted else AttemptState.FAILED
            ended = attempt.ended(self._clock.now(), state, AttemptError.STOPPED)
            await self._jobs.record(ended)
            raise
        self._health.record_success(attempt.provider)
        return await self._accepted(job, attempt, answer)

    async def _answer_of(
        self, provider: Provider, call: Call, source: Source
    ) -> Accepted | Finished:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await provider.submit(call, source)
        except TimeoutError as exc:
            raise SubmitUncertain("no answer by the deadline") from exc

    async def _accepted(
        self, job: Job, attempt: Attempt, answer: Accepted | Finished
    ) -> StepResult:
        now = self._clock.now()
        match answer:
            case Accepted(ref):
                answered = attempt.accepted(now, ref)
            case Finished(files):
                answered = attempt.done(now, files)
        try:
            await retry_write(
                lambda: self._jobs.save(job.processing(now), expected=job.state, attempt=answered),
                what=f"the answer for {job.id}",
            )
        except StateMoved:
            await self._write(answered)
            await self.abandon(answered)
            return RetryAfter()
        log.info(
            "%s is at %s", job.id, attempt.provider, extra={"job": job.id, "action": "processing"}
        )
        return RetryAfter()

    async def _not_accepted(self, job: Job, attempt: Attempt, error: ProviderError) -> StepResult:
        self._health.record_failure(attempt.provider, error)
        ended = attempt.ended(self._clock.now(), _state_after(error), AttemptError.of(error))
        await self._write(ended)
        self._line.release(job.id)
        log.warning(
            "%s: %s did not accept it: %s: %s",
            job.id,
            attempt.provider,
            ended.error,
            error,
            extra={"job": job.id, "action": ended.state.value},
        )
        return RetryAfter()

    async def abandon(self, attempt: Attempt) -> None:
        """Give up an attempt whose job ended; what it may have cost stays on record.

        The provider is told first: after a kill in between it is told once more. Of a submit that
        is under way nothing is known before its answer, which comes here by itself.
        """
        if attempt.state is AttemptState.SENDING and attempt.job_id not in self._sending:
            await self._settle(attempt)
        elif attempt.state in (AttemptState.ACCEPTED, AttemptState.DONE):
            await cancel_remote(attempt, self._providers)
            await self._write(attempt.ended(self._clock.now(), AttemptState.ABANDONED))

    async def _write(self, attempt: Attempt) -> None:
        await retry_write(
            lambda: self._jobs.record(attempt), what=f"the answer for {attempt.job_id}"
        )


def _state_after(error: ProviderError) -> AttemptState:
    match error:
        case SubmitUncertain() | ProviderProtocol():
            return AttemptState.UNCERTAIN
        case ProviderBusy() | ProviderDown():
            return AttemptState.NOT_SENT
        case _:
            return AttemptState.REFUSED
