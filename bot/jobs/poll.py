"""The step from `processing` to results: polls the provider, shows progress, enforces the
deadline.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from bot.accounts.spend_caps import SpendCaps
from bot.domain.attempt import (
    MAX_LOCAL_STARTS,
    Attempt,
    AttemptError,
    AttemptState,
    RemoteFile,
)
from bot.domain.backoff import backoff_s
from bot.domain.errors import (
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ResultsNotFetched,
    ResultsUnreachable,
)
from bot.domain.job import Job, State
from bot.jobs.collect import CollectStep
from bot.jobs.job_runtime import Core, JobRuntime, Polling, RetryAfter, StepResult
from bot.jobs.reconcile import AttemptReconciler
from bot.providers.interface import (
    Capabilities,
    Failed,
    Finished,
    HasWorkers,
    Lost,
    Provider,
    Running,
    TellsWhenDone,
    lacks_worker,
)
from bot.scheduling.candidates import Candidates
from bot.scheduling.circuit_breaker import Operation
from bot.scheduling.progress import Progress, Stage, former_of
from bot.scheduling.routing import Go

log = logging.getLogger(__name__)

SILENCE = timedelta(minutes=10)
"""The time after which this process gives up an overdue attempt that does not answer."""
MAX_FETCHES = 3
"""Rounds of fetching the results, each with fresh links if the provider gives them.

After these, the attempt is given up if the results are broken, or if they are unreachable and
another provider is ready.
"""
MAX_FAILED_POLLS = 10
"""Consecutive refused or invalid polls before the job looks for another provider."""
SLOWDOWN = 1.3
"""The factor by which the pause between polls of a hosted provider grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollIntervals:
    """Limits of the pause between two polls of a hosted provider."""

    min_s: float
    max_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Followed:
    """A job with its attempts and provider, during one step."""

    job: Job
    runtime: JobRuntime
    attempts: Sequence[Attempt]
    provider: Provider

    @property
    def attempt(self) -> Attempt:
        return self.attempts[-1]

    @property
    def polling(self) -> Polling:
        return self.runtime.polling

    def with_attempt(self, attempt: Attempt) -> Self:
        return replace(self, attempts=(*self.attempts[:-1], attempt))


class PollStep:
    """Polls accepted attempts until they end."""

    def __init__(
        self,
        *,
        core: Core,
        candidates: Candidates,
        spend: SpendCaps,
        collect: CollectStep,
        reconciler: AttemptReconciler,
        intervals: PollIntervals,
    ) -> None:
        self._core = core
        self._jobs = core.jobs
        self._candidates = candidates
        self._spend = spend
        self._collect_step = collect
        self._reconciler = reconciler
        self._intervals = intervals

    async def poll(self, job: Job, attempts: Sequence[Attempt], runtime: JobRuntime) -> StepResult:
        """Poll the job's latest attempt once, or collect its results if they exist."""
        attempt = attempts[-1]
        provider = self._core.providers.get(attempt.provider)
        if provider is None:
            return await self._give_up(job, runtime, attempt, AttemptError.PROVIDER_REMOVED)
        followed = _Followed(job=job, runtime=runtime, attempts=attempts, provider=provider)
        if attempt.state is AttemptState.DONE:
            return await self._collect(followed)
        self._core.queue.restore(attempt.provider, job)
        if attempt.state is not AttemptState.ACCEPTED or attempt.ref is None:
            return await self._give_up(job, runtime, attempt, attempt.error or AttemptError.UNKNOWN)
        try:
            answer = await provider.poll(attempt.ref)
        except ProviderError as exc:
            return await self._unanswered(followed, exc)
        self._core.breaker.record_success(attempt.provider, Operation.POLL)
        runtime.polling.failed_polls = 0
        match answer:
            case Running(fraction):
                return await self._wait(followed, fraction)
            case Finished(files):
                return await self._finished(followed, files)
            case Failed(refused=True):
                return await self._give_up(job, runtime, attempt, AttemptError.REFUSED)
            case Failed(is_starved=is_starved):
                word = AttemptError.STARVED if is_starved else AttemptError.FAILED
                return await self._task_failed(followed, word)
            case Lost():
                return await self._task_failed(followed, AttemptError.LOST)

    async def _unanswered(self, followed: _Followed, error: ProviderError) -> StepResult:
        """Poll again later, or give up after too many errors other than busy or unreachable."""
        attempt, polling, word = followed.attempt, followed.polling, AttemptError.of(error)
        self._core.breaker.record_failure(attempt.provider, Operation.POLL, error)
        log.warning("%s: poll failed: %s: %s", followed.job.id, word, error)
        if not isinstance(error, ProviderBusy | ProviderDown):
            polling.failed_polls += 1
        if polling.failed_polls >= MAX_FAILED_POLLS:
            return await self._give_up(
                followed.job, followed.runtime, attempt, word, AttemptState.ABANDONED
            )
        return await self._wait(followed, None, is_answered=False)

    async def _wait(
        self, followed: _Followed, fraction: float | None, *, is_answered: bool = True
    ) -> StepResult:
        job, attempt, polling = followed.job, followed.attempt, followed.polling
        now = self._core.clock.now()
        elapsed = now - attempt.submitted_at
        if polling.asked_since is None:
            polling.asked_since = now
        # After a long downtime the results may exist, although a single poll got no answer.
        is_silent = now - polling.asked_since > SILENCE
        if elapsed > self._core.timeout and (is_answered or is_silent):
            await self._reconciler.cancel_remote(attempt)
            return await self._task_failed(followed, AttemptError.TIMED_OUT, AttemptState.ABANDONED)
        capabilities = followed.provider.capabilities
        # A worker that drains still separates its last song.
        is_unmanned = fraction is None and lacks_worker(followed.provider, attempt.model)
        self._core.board.put(
            job.id,
            Progress(
                stage=Stage.NO_WORKER if is_unmanned else Stage.SEPARATING,
                fraction=fraction,
                eta_s=self._eta_s(job, attempt, elapsed, fraction),
                provider=capabilities.title,
                former=former_of(attempt.provider, followed.attempts, self._core.providers),
            ),
        )
        if attempt.ref is not None and isinstance(followed.provider, TellsWhenDone):
            followed.provider.when_done(attempt.ref, followed.runtime.woken.set)
        return RetryAfter(after_s=self._next_interval_s(polling, capabilities))

    def _eta_s(
        self, job: Job, attempt: Attempt, elapsed: timedelta, fraction: float | None
    ) -> float:
        seconds = elapsed.total_seconds()
        if fraction and fraction > 0.05:
            return seconds * (1 - fraction) / fraction
        return max(0.0, self._core.throughput.estimate_s(attempt.provider, [job]) - seconds)

    def _next_interval_s(self, polling: Polling, capabilities: Capabilities) -> float:
        if not capabilities.is_hosted:
            return capabilities.poll_interval_s
        min_s, max_s = self._intervals.min_s, self._intervals.max_s
        interval_s = polling.interval_s or max(min_s, min(max_s, capabilities.poll_interval_s))
        polling.interval_s = min(max_s, interval_s * SLOWDOWN)
        return interval_s

    async def _finished(self, followed: _Followed, files: tuple[RemoteFile, ...]) -> StepResult:
        attempt, now = followed.attempt, self._core.clock.now()
        took = now - attempt.submitted_at
        self._core.throughput.learn(attempt.provider, followed.job, took.total_seconds())
        done = attempt.done(now, files)
        await self._jobs.record(done)
        return await self._collect(followed.with_attempt(done))

    async def _collect(self, followed: _Followed) -> StepResult:
        job, runtime, attempt = followed.job, followed.runtime, followed.attempt
        runtime.polling.interval_s = runtime.polling.asked_since = None
        try:
            # If the store is unavailable, the results must not be fetched again and again.
            made = runtime.polling.made
            if made is None:
                made = await self._collect_step.make(job, attempt, followed.provider)
                runtime.polling.made = made
            result = await self._collect_step.finish(job, made)
        except ResultsNotFetched as exc:
            log.warning("%s: its results did not arrive: %s", job.id, exc)
            return await self._fetch_later(followed, exc)
        except ProviderError as exc:
            log.warning("%s: its results cannot be used: %s", job.id, exc)
            return await self._task_failed(followed, AttemptError.of(exc))
        self._core.breaker.record_success(attempt.provider, Operation.FETCH)
        self._core.breaker.record_success(attempt.provider, Operation.TASK)
        return result

    async def _task_failed(
        self, followed: _Followed, error: AttemptError, state: AttemptState = AttemptState.FAILED
    ) -> StepResult:
        """Give up an attempt that failed because of its provider, not the song.

        Only a song's first attempt at a provider counts as the provider's failure. At workers, only
        its last one does: the others may have failed because of one worker, which pauses by itself.
        Attempts of the embedded engine that were lost in a restart do not count.
        """
        attempt, is_here = followed.attempt, followed.provider.capabilities.is_resubmittable
        counted = MAX_LOCAL_STARTS if isinstance(followed.provider, HasWorkers) else 1
        if attempt.number == counted and not (is_here and error == AttemptError.LOST):
            self._core.breaker.record_failed_task(attempt.provider, error)
        return await self._give_up(followed.job, followed.runtime, attempt, error, state)

    async def _fetch_later(self, followed: _Followed, error: ResultsNotFetched) -> StepResult:
        """Fetch the results again after a pause, with fresh links if there are any.

        Rounds are counted in memory only, so a restart starts over.
        """
        job, runtime, attempt = followed.job, followed.runtime, followed.attempt
        self._core.queue.release(job.id)  # the provider has finished, so its place is free
        runtime.polling.failed_fetches += 1
        rounds = runtime.polling.failed_fetches
        if rounds == 1:  # a single song must not put its provider into cooldown
            self._core.breaker.record_failure(attempt.provider, Operation.FETCH, error)
        if await self._is_hopeless(followed, error):
            return await self._give_up(job, runtime, attempt, AttemptError.of(error))
        is_fresh = await self._ask_for_fresh_links(attempt, followed.provider)
        is_worth_trying_now = is_fresh and rounds == 1
        return RetryAfter(after_s=0.0 if is_worth_trying_now else backoff_s(rounds, key=job.id))

    async def _is_hopeless(self, followed: _Followed, error: ResultsNotFetched) -> bool:
        """Whether to stop fetching: early if another provider is ready, else at the deadline."""
        if followed.polling.failed_fetches < MAX_FETCHES:
            return False  # even after the deadline, which may have passed during a long downtime
        if not isinstance(error, ResultsUnreachable):
            return True
        if self._core.clock.now() - followed.attempt.submitted_at > self._core.timeout:
            return True
        job = followed.job
        room = await self._spend.room(job)
        return isinstance(await self._candidates.route(job, followed.attempts, room), Go)

    async def _ask_for_fresh_links(self, attempt: Attempt, provider: Provider) -> bool:
        """Poll again for new links to the results; return whether they changed."""
        if attempt.ref is None:
            return False
        try:
            answer = await provider.poll(attempt.ref)
        except ProviderError as exc:
            log.warning("%s: no fresh links: %s", attempt.job_id, type(exc).__name__)
            return False
        if not isinstance(answer, Finished):
            return False
        await self._jobs.record(attempt.done(self._core.clock.now(), answer.files))
        return answer.files != attempt.files

    async def _give_up(
        self,
        job: Job,
        runtime: JobRuntime,
        attempt: Attempt,
        error: AttemptError,
        state: AttemptState = AttemptState.FAILED,
    ) -> StepResult:
        now = self._core.clock.now()
        await self._jobs.save(
            job.submitting(now, provider=attempt.provider),
            expected=State.PROCESSING,
            attempt=attempt.ended(now, state, error),
            note=error,
        )
        runtime.polling = Polling()
        if state is AttemptState.ABANDONED and error != AttemptError.TIMED_OUT:
            self._reconciler.keep_place(job, attempt)
        self._core.queue.release(job.id)
        log.warning(
            "%s: %s returned nothing: %s",
            job.id,
            attempt.provider,
            error,
            extra={"job": job.id, "action": state.value},
        )
        return RetryAfter()
