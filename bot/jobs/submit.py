"""The step from `held` to `processing`: chooses a provider, waits for a place and submits once.

The submit is the only step that must not run twice. Its attempt row is committed before the call,
and the answer is written to that row even if the job ends meanwhile. A row that is still `sending`
after a crash is never sent again, because the provider may have received it.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from bot.accounts.spend_caps import SpendCaps, SpendRoom
from bot.domain.attempt import Attempt, AttemptError, AttemptState
from bot.domain.errors import (
    NoPlaceFree,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    SpendCapReached,
    StateMoved,
    StoreUnavailable,
    SubmitUncertain,
)
from bot.domain.job import Job
from bot.domain.minutes import minutes_of
from bot.jobs.job_runtime import AwaitWake, Core, JobRuntime, RetryAfter, StepResult
from bot.jobs.reconcile import AttemptReconciler
from bot.jobs.termination import Termination
from bot.providers.interface import Accepted, Call, Finished, Provider, Source, lacks_worker
from bot.scheduling.candidates import Candidates
from bot.scheduling.circuit_breaker import Operation
from bot.scheduling.plans import Plan
from bot.scheduling.position_display import QueuePositions
from bot.scheduling.progress import Progress, Stage, former_of
from bot.scheduling.routing import Cooldown, Exhausted, Go, Retry
from bot.scheduling.shared_places import ASK_EVERY_S
from bot.scheduling.sources import Sources
from storage.database.write_retry import retry_write

log = logging.getLogger(__name__)

MAX_RETRY_DELAY_S = 15.0
"""The longest pause before routing again: providers may recover early."""


class SubmitStep:
    """Submits jobs to providers; a submit that could be billed twice is never repeated."""

    def __init__(
        self,
        *,
        core: Core,
        candidates: Candidates,
        positions: QueuePositions,
        spend: SpendCaps,
        sources: Sources,
        termination: Termination,
        reconciler: AttemptReconciler,
    ) -> None:
        self._core = core
        self._jobs = core.jobs
        self._candidates = candidates
        self._positions = positions
        self._spend = spend
        self._sources = sources
        self._termination = termination
        self._reconciler = reconciler
        self._is_closed = False

    async def submit(
        self, job: Job, attempts: Sequence[Attempt], runtime: JobRuntime
    ) -> StepResult:
        """Send the job to a provider, or put it into a provider's queue."""
        if runtime.submit is not None or self._is_closed:
            return AwaitWake()
        attempts = [await self._reconciler.settle(each) for each in attempts]
        room = await self._spend.room(job)
        match await self._candidates.route(job, attempts, room):
            case Exhausted(problem):
                return await self._termination.fail(job, problem)
            case (Retry() | Cooldown()) as wait:
                return self._wait(job, wait)
            case Go(plan):
                return await self._enter(job, runtime, plan, attempts, room)

    async def aclose(self, *, grace_s: float) -> None:
        """Send nothing more, and wait up to `grace_s` for the answers to submits in flight.

        A submit that is cut off at the end of the grace period is recorded as uncertain if its
        provider may bill for it.
        """
        self._is_closed = True
        if tasks := self._in_flight():
            await asyncio.wait(tasks, timeout=grace_s)
        while tasks := self._in_flight():
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _in_flight(self) -> list[asyncio.Task[StepResult]]:
        return [each.submit for each in self._core.runtimes if each.submit is not None]

    def _wait(self, job: Job, wait: Retry | Cooldown) -> StepResult:
        """Show what the job waits for.

        A job that pauses after a failed try, or lacks a worker with its model, leaves the queue, so
        that it does not hold up others.
        """
        provider, ahead = wait.plan.provider, None
        is_unmanned = lacks_worker(self._core.providers[provider], wait.plan.model.name)
        match wait:
            case Cooldown() if not is_unmanned:
                ahead = self._core.queue.enqueue(provider, job)
            case _:
                self._core.queue.release(job.id)
        self._core.board.put(
            job.id,
            Progress(
                stage=Stage.NO_WORKER if is_unmanned else Stage.WAITING,
                ahead=ahead,
                eta_s=wait.after_s,
                provider=wait.plan.capabilities.title,
            ),
        )
        return RetryAfter(after_s=min(wait.after_s, MAX_RETRY_DELAY_S))

    async def _enter(
        self,
        job: Job,
        runtime: JobRuntime,
        plan: Plan,
        attempts: Sequence[Attempt],
        room: SpendRoom,
    ) -> StepResult:
        queue = self._core.queue
        if (wait := await self._wait_for_place(plan.provider, job)) is not None:
            self._positions.publish(plan.provider, job, queue.ahead(job.id))
            return wait
        turn = queue.turn_of(plan.provider, job)
        number = 1 + sum(each.provider == plan.provider for each in attempts)
        # An error before the attempt exists must not rule out the provider for this job.
        call, source = await self._prepared(job, plan, number, turn)
        attempt = self._attempt(job, plan, number)
        submitting = job.submitting(attempt.submitted_at, provider=plan.provider)
        caps = room.caps if plan.capabilities.is_hosted else ()
        shared = self._core.shared_places
        place = None if shared is None else shared.place_at(plan.provider)
        try:
            await self._jobs.save(
                submitting, expected=job.state, attempt=attempt, caps=caps, place=place
            )
        except (SpendCapReached, NoPlaceFree):
            queue.release(job.id)
            return RetryAfter()
        self._core.board.put(
            job.id,
            Progress(
                stage=Stage.SENDING,
                provider=plan.capabilities.title,
                former=former_of(plan.provider, attempts, self._core.providers),
            ),
        )
        submit = self._submit(submitting, attempt, call, source)
        return await self._in_background(submit, runtime)

    async def _wait_for_place(self, provider: str, job: Job) -> StepResult | None:
        """Take a place in the queue, or return how long to wait for one."""
        queue, shared = self._core.queue, self._core.shared_places
        if shared is None or shared.place_at(provider) is None:
            return None if queue.acquire(provider, job) is None else AwaitWake()
        queue.enqueue(provider, job)
        if queue.first(provider) != job.id:
            return AwaitWake()
        if not await shared.may_enter(provider, job.id):
            return RetryAfter(after_s=ASK_EVERY_S)
        if queue.acquire(provider, job) is not None:
            return RetryAfter(after_s=ASK_EVERY_S)  # enough of this bot's jobs are about to enter
        queue.call_first(provider)
        return None

    async def _prepared(self, job: Job, plan: Plan, number: int, turn: int) -> tuple[Call, Source]:
        where = await self._core.files.prepare(job.id)
        call = Call(job_id=job.id, attempt=number, model=plan.model, workdir=where.work, turn=turn)
        url = await self._sources.address_of(job)
        return call, Source(mixture=where.mixture, frames=job.frames or 0, url=url)

    def _attempt(self, job: Job, plan: Plan, number: int) -> Attempt:
        now = self._core.clock.now()
        return Attempt(
            job_id=job.id,
            provider=plan.provider,
            number=number,
            model=plan.model.name,
            cost_minutes=minutes_of(job.frames or 0) if plan.capabilities.is_hosted else 0,
            submitted_at=now,
            updated_at=now,
        )

    async def _in_background(
        self, submit: Coroutine[Any, Any, StepResult], runtime: JobRuntime
    ) -> StepResult:
        """Run a submit in a separate task, so that cancelling the step does not lose the answer."""

        def ended(_: asyncio.Task[StepResult]) -> None:
            runtime.submit = None
            self._core.runtimes.release(runtime)

        task = asyncio.create_task(submit, name=f"submit {runtime.job_id}")
        runtime.submit = task
        task.add_done_callback(ended)
        return await asyncio.shield(task)

    async def _submit(self, job: Job, attempt: Attempt, call: Call, source: Source) -> StepResult:
        provider = self._core.providers[attempt.provider]
        if not self._core.may_act():
            # The process may have been frozen since it wrote the row, and another one may have
            # found it.
            raise StoreUnavailable("another process may be the bot now, so nothing is sent")
        try:
            answer = await self._answer_of(provider, call, source)
        except ProviderError as exc:
            return await self._not_accepted(job, attempt, exc)
        except asyncio.CancelledError:
            is_hosted = provider.capabilities.is_hosted
            state = AttemptState.UNCERTAIN if is_hosted else AttemptState.FAILED
            now = self._core.clock.now()
            await self._jobs.record(attempt.ended(now, state, AttemptError.STOPPED))
            raise
        self._core.breaker.record_success(attempt.provider, Operation.SUBMIT)
        return await self._accepted(job, attempt, answer)

    async def _answer_of(
        self, provider: Provider, call: Call, source: Source
    ) -> Accepted | Finished:
        try:
            # Some services separate the song before they answer the submit.
            async with asyncio.timeout(self._core.timeout.total_seconds()):
                return await provider.submit(call, source)
        except TimeoutError as exc:
            raise SubmitUncertain("no answer by the deadline") from exc

    async def _accepted(
        self, job: Job, attempt: Attempt, answer: Accepted | Finished
    ) -> StepResult:
        now = self._core.clock.now()
        match answer:
            case Accepted(ref):
                answered = attempt.accepted(now, ref)
            case Finished(files):
                answered = attempt.done(now, files)
                took_s = (now - attempt.submitted_at).total_seconds()
                self._core.throughput.learn(attempt.provider, job, took_s)
        try:
            await retry_write(
                lambda: self._jobs.save(job.processing(now), expected=job.state, attempt=answered),
                what=f"the answer for {job.id}",
            )
        except StateMoved:
            await self._reconciler.record(answered)
            await self._reconciler.abandon(job, answered)
            return RetryAfter()
        self._show_accepted(job, attempt)
        log.info(
            "%s is at %s", job.id, attempt.provider, extra={"job": job.id, "action": "processing"}
        )
        return RetryAfter()

    def _show_accepted(self, job: Job, attempt: Attempt) -> None:
        """Show immediately which provider has the song, because the first poll may be slow."""
        sending = self._core.board.get(job.id)
        if sending is not None:
            eta_s = self._core.throughput.estimate_s(attempt.provider, [job])
            separating = replace(sending, stage=Stage.SEPARATING, eta_s=eta_s)
            self._core.board.put(job.id, separating)

    async def _not_accepted(self, job: Job, attempt: Attempt, error: ProviderError) -> StepResult:
        self._core.breaker.record_failure(attempt.provider, Operation.SUBMIT, error)
        word = AttemptError.of(error)
        ended = attempt.ended(self._core.clock.now(), _state_after(error), word)
        await self._reconciler.record(ended)
        self._core.queue.release(job.id)
        self._core.queue.free(attempt.provider, job.id)  # in case the job has ended by now
        log.warning(
            "%s: %s did not accept it: %s: %s",
            job.id,
            attempt.provider,
            ended.error,
            error,
            extra={"job": job.id, "action": ended.state.value},
        )
        return RetryAfter()


def _state_after(error: ProviderError) -> AttemptState:
    match error:
        case SubmitUncertain() | ProviderProtocol():
            return AttemptState.UNCERTAIN
        case ProviderBusy() | ProviderDown():
            return AttemptState.NOT_SENT
        case _:
            return AttemptState.REFUSED
