"""From `processing` to results: ask the provider, show progress, mind the deadline."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.attempt import Attempt, AttemptError, AttemptState
from bot.domain.backoff import backoff_s
from bot.domain.clock import Clock
from bot.domain.errors import (
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ResultsNotFetched,
    ResultsUnreachable,
)
from bot.domain.job import Job, JobId, State
from bot.jobs.collect import CollectStep
from bot.jobs.step_result import RetryAfter, StepResult
from bot.jobs.termination import cancel_remote
from bot.providers.interface import Capabilities, Failed, Finished, Lost, Provider, Running
from bot.scheduling.candidates import Candidates
from bot.scheduling.circuit_breaker import CircuitBreaker
from bot.scheduling.progress import Progress, ProgressBoard, Stage, former_of
from bot.scheduling.provider_queue import ProviderQueue
from bot.scheduling.routing import Go
from bot.scheduling.throughput import ThroughputEstimator
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)

SILENCE = timedelta(minutes=10)
"""How long this process asks in vain before an attempt past its deadline is given up."""
MAX_FETCHES = 3
"""Rounds of fetching one answer, each with fresh links where the provider gives them.

After that results that are broken are left, and those out of reach if another provider is ready.
"""
MAX_VAIN_POLLS = 10
"""In a row, refused or not to be understood, before a job looks for another provider."""
SLOWER = 1.3
"""Each poll of a hosted provider waits so much longer than the one before, up to the maximum."""


class PollStep:
    """Follows accepted attempts to their end."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        providers: Mapping[str, Provider],
        candidates: Candidates,
        line: ProviderQueue,
        health: CircuitBreaker,
        pace: ThroughputEstimator,
        results: CollectStep,
        board: ProgressBoard,
        clock: Clock,
        min_s: float,
        max_s: float,
        timeout: timedelta,
    ) -> None:
        self._jobs = jobs
        self._providers = providers
        self._candidates = candidates
        self._line = line
        self._health = health
        self._pace = pace
        self._results = results
        self._board = board
        self._clock = clock
        self._min_s = min_s
        self._max_s = max_s
        self._timeout = timeout
        self._intervals: dict[JobId, float] = {}
        self._asked_since: dict[JobId, datetime] = {}
        self._fetches: Counter[JobId] = Counter()
        self._vain: Counter[JobId] = Counter()

    async def poll(self, job: Job) -> StepResult:
        """Ask once how the job's latest attempt does; bring its results when they exist."""
        attempts = await self._jobs.attempts(job.id)
        attempt = attempts[-1]
        provider = self._providers.get(attempt.provider)
        if provider is None:
            return await self._give_up(job, attempt, AttemptError.PROVIDER_REMOVED)
        if attempt.state is AttemptState.DONE:
            return await self._collect(job, attempt, provider)
        self._line.restore(attempt.provider, job)
        if attempt.state is not AttemptState.ACCEPTED or attempt.ref is None:
            return await self._give_up(job, attempt, attempt.error or AttemptError.UNKNOWN)
        try:
            answer = await provider.poll(attempt.ref)
        except ProviderError as exc:
            return await self._unanswered(job, attempts, provider, exc)
        self._health.record_success(attempt.provider)
        self._vain.pop(job.id, None)
        match answer:
            case Running(fraction):
                return await self._wait(job, attempts, provider, fraction)
            case Finished(files):
                self._learn(job, attempt)
                done = attempt.done(self._clock.now(), files)
                await self._jobs.record(done)
                return await self._collect(job, done, provider)
            case Failed(refused=refused):
                error = AttemptError.REFUSED if refused else AttemptError.FAILED
                return await self._give_up(job, attempt, error)
            case Lost():
                return await self._give_up(job, attempt, AttemptError.LOST)

    async def _unanswered(
        self, job: Job, attempts: Sequence[Attempt], provider: Provider, error: ProviderError
    ) -> StepResult:
        """Ask again later; not for ever, where only the owner or a new version can mend it."""
        attempt = attempts[-1]
        self._health.record_failure(attempt.provider, error)
        log.warning("%s: poll failed: %s: %s", job.id, AttemptError.of(error), error)
        if not isinstance(error, ProviderBusy | ProviderDown):
            self._vain[job.id] += 1
        if self._vain[job.id] >= MAX_VAIN_POLLS:
            word = AttemptError.of(error)
            return await self._give_up(job, attempt, word, AttemptState.ABANDONED)
        return await self._wait(job, attempts, provider, None, is_answered=False)

    async def _wait(
        self,
        job: Job,
        attempts: Sequence[Attempt],
        provider: Provider,
        fraction: float | None,
        *,
        is_answered: bool = True,
    ) -> StepResult:
        attempt = attempts[-1]
        now = self._clock.now()
        elapsed = now - attempt.submitted_at
        # After a long stop the result may be there: silence is not an answer at once.
        asked_for = now - self._asked_since.setdefault(job.id, now)
        if elapsed > self._timeout and (is_answered or asked_for > SILENCE):
            await cancel_remote(attempt, self._providers)
            return await self._give_up(job, attempt, AttemptError.TIMED_OUT, AttemptState.ABANDONED)
        capabilities = provider.capabilities
        self._board.put(
            job.id,
            Progress(
                stage=Stage.SEPARATING,
                fraction=fraction,
                eta_s=self._eta_s(job, attempt, elapsed, fraction),
                provider=capabilities.title,
                former=former_of(attempt.provider, attempts, self._providers),
            ),
        )
        return RetryAfter(after_s=self._next_interval(job.id, capabilities))

    def _eta_s(
        self, job: Job, attempt: Attempt, elapsed: timedelta, fraction: float | None
    ) -> float:
        seconds = elapsed.total_seconds()
        if fraction and fraction > 0.05:
            return seconds * (1 - fraction) / fraction
        return max(0.0, self._pace.estimate_s(attempt.provider, [job]) - seconds)

    def _next_interval(self, job_id: JobId, capabilities: Capabilities) -> float:
        if not capabilities.is_hosted:
            return capabilities.poll_interval_s
        first = max(self._min_s, min(self._max_s, capabilities.poll_interval_s))
        interval = self._intervals.get(job_id, first)
        self._intervals[job_id] = min(self._max_s, interval * SLOWER)
        return interval

    def _learn(self, job: Job, attempt: Attempt) -> None:
        took = self._clock.now() - attempt.submitted_at
        self._pace.learn(attempt.provider, job, took.total_seconds())

    async def _collect(self, job: Job, attempt: Attempt, provider: Provider) -> StepResult:
        self._intervals.pop(job.id, None)
        self._asked_since.pop(job.id, None)
        try:
            collected = await self._results.collect(job, attempt, provider)
        except ResultsNotFetched as exc:
            log.warning("%s: its results did not arrive: %s", job.id, exc)
            return await self._fetch_later(job, attempt, provider, exc)
        except ProviderError as exc:
            log.warning("%s: its results cannot be used: %s", job.id, exc)
            self._health.record_failure(attempt.provider, exc)
            return await self._give_up(job, attempt, AttemptError.of(exc))
        self._fetches.pop(job.id, None)
        return collected

    async def _fetch_later(
        self, job: Job, attempt: Attempt, provider: Provider, error: ResultsNotFetched
    ) -> StepResult:
        """Try results again that are paid for, after a pause: by new links, else by the same.

        Each try is remembered in memory only: after a restart the same number is made again.
        """
        self._line.release(job.id)  # there is nothing more to be done for it there
        self._fetches[job.id] += 1
        if await self._is_hopeless(job, error):
            self._health.record_failure(attempt.provider, error)
            return await self._give_up(job, attempt, AttemptError.of(error))
        is_fresh = await self._ask_for_fresh_links(attempt, provider)
        tries = self._fetches[job.id]
        return RetryAfter(after_s=0.0 if is_fresh and tries == 1 else backoff_s(tries, key=job.id))

    async def _is_hopeless(self, job: Job, error: ResultsNotFetched) -> bool:
        """Whether to stop fetching: soon when another provider is ready, else at the deadline."""
        if self._fetches[job.id] < MAX_FETCHES:
            return False  # also past the deadline, as after a long stop
        if not isinstance(error, ResultsUnreachable):
            return True
        attempts = await self._jobs.attempts(job.id)
        if self._clock.now() - attempts[-1].submitted_at > self._timeout:
            return True
        return isinstance(await self._candidates.route(job, attempts), Go)

    async def _ask_for_fresh_links(self, attempt: Attempt, provider: Provider) -> bool:
        """Have the provider say once more where its results are; whether it is elsewhere now."""
        if attempt.ref is None:
            return False
        try:
            answer = await provider.poll(attempt.ref)
        except ProviderError as exc:
            log.warning("%s: no fresh links: %s", attempt.job_id, type(exc).__name__)
            return False
        if not isinstance(answer, Finished):
            return False
        await self._jobs.record(attempt.done(self._clock.now(), answer.files))
        return answer.files != attempt.files

    async def _give_up(
        self,
        job: Job,
        attempt: Attempt,
        error: AttemptError,
        state: AttemptState = AttemptState.FAILED,
    ) -> StepResult:
        now = self._clock.now()
        self._intervals.pop(job.id, None)
        self._asked_since.pop(job.id, None)
        self._vain.pop(job.id, None)
        self._fetches.pop(job.id, None)
        await self._jobs.save(
            job.submitting(now, provider=attempt.provider),
            expected=State.PROCESSING,
            attempt=attempt.ended(now, state, error),
            note=error,
        )
        self._line.release(job.id)
        log.warning(
            "%s: %s gave nothing: %s",
            job.id,
            attempt.provider,
            error,
            extra={"job": job.id, "action": state.value},
        )
        return RetryAfter()
