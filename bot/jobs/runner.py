"""Runs jobs: one task per job, which takes a step when it is due or the job is woken.

All rules about jobs are in the steps.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from bot.domain.backoff import backoff_s
from bot.domain.clock import Clock
from bot.domain.errors import DISK_FULL, NoRoom, StoreUnavailable
from bot.domain.job import JobId
from bot.jobs.job_runtime import AwaitWake, Done, JobRuntime, RetryAfter, Runtimes, StepResult

log = logging.getLogger(__name__)

MAX_FAILED_STEPS = 6
"""Consecutive unexpected errors, with growing pauses, before a job is given up."""
FIRST_STEP_PAUSE_S = 1.0
MAX_STEP_PAUSE_S = 30.0
STORE_PAUSE_S = 1.0
"""Constant, because checking whether a database is free again costs nothing."""
FALLBACK_WAKE_S = 60.0
"""The longest sleep of a waiting job, in case its wake-up was missed."""
MAX_GIVE_WAY_S = 1.0
"""The longest wait of a new job for requests that are being answered."""


class StepTaker(Protocol):
    """Takes the steps of jobs."""

    async def advance(self, runtime: JobRuntime) -> StepResult:
        """Take a job one step further; raises unexpected errors."""
        ...

    async def give_up(self, runtime: JobRuntime) -> StepResult:
        """End a job whose steps keep failing."""
        ...


class Runner:
    """Runs every unfinished job until it ends."""

    def __init__(self, *, steps: StepTaker, runtimes: Runtimes, clock: Clock) -> None:
        self._steps = steps
        self._runtimes = runtimes
        self._clock = clock
        self._is_stopping = False
        self._answering = 0
        self._all_answered = asyncio.Event()
        self._all_answered.set()

    @property
    def running(self) -> int:
        """The number of jobs under way."""
        return len(self._runtimes)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Let no new job begin while the block answers a request, but for a second at most.

        When many requests come at once, the first jobs would otherwise delay the last answers.
        """
        self._answering += 1
        self._all_answered.clear()
        try:
            yield
        finally:
            self._answering -= 1
            if not self._answering:
                self._all_answered.set()

    def run(self, job_id: JobId) -> None:
        """Run a job, or wake it if it is already running; does nothing after `stop`."""
        if self._is_stopping:
            return
        runtime = self._runtimes.open(job_id)
        if runtime.task is not None:
            runtime.woken.set()
            return
        runtime.task = asyncio.create_task(self._keep_stepping(runtime), name=job_id)
        runtime.task.add_done_callback(lambda task: self._ended(runtime, task))

    def wake(self, job_id: JobId) -> None:
        """Let a running job take its next step now; does nothing if the job is not running."""
        self._runtimes.wake(job_id)

    async def stop(self, *, grace_s: float) -> None:
        """Take no more steps; cancel those that do not finish within the grace period."""
        self._is_stopping = True
        tasks = [each.task for each in self._runtimes if each.task is not None]
        for runtime in self._runtimes:
            runtime.woken.set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, runtime: JobRuntime, task: asyncio.Task[None]) -> None:
        runtime.task = None
        self._runtimes.release(runtime)
        if task.cancelled() and not runtime.is_interrupted and not self._is_stopping:
            # Libraries may raise CancelledError by mistake. The job must not wait for a restart.
            log.error(
                "%s: its task was cancelled unexpectedly; a new one continues", runtime.job_id
            )
            self.run(runtime.job_id)

    async def _keep_stepping(self, runtime: JobRuntime) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_GIVE_WAY_S):
                await self._all_answered.wait()
        while not self._is_stopping:
            runtime.woken.clear()
            if await self._is_over(await self._step(runtime), runtime):
                return

    async def _step(self, runtime: JobRuntime) -> StepResult:
        try:
            result = await self._steps.advance(runtime)
        except Exception as exc:
            if (pause := self._pause_for_machine(runtime, exc)) is not None:
                return pause
            log.exception("%s: a step failed", runtime.job_id, extra=_job(runtime))
            return await self._after_failure(runtime)
        runtime.failed_steps = runtime.full_disk_waits = 0
        return result

    def _pause_for_machine(self, runtime: JobRuntime, error: Exception) -> RetryAfter | None:
        """Return the pause if the store or the disk is unavailable; None for any other error."""
        if isinstance(error, StoreUnavailable):
            if self._is_news(runtime, str(error)):
                log.warning("%s waits for the store: %s", runtime.job_id, error)
            return RetryAfter(after_s=STORE_PAUSE_S)
        if _is_out_of_room(error):
            runtime.full_disk_waits += 1
            # Compared by its type, because its text contains byte counts, which change.
            if self._is_news(runtime, type(error).__name__):
                log.warning("%s waits for room: %s", runtime.job_id, error)
            return RetryAfter(after_s=backoff_s(runtime.full_disk_waits, key=runtime.job_id))
        return None

    async def _after_failure(self, runtime: JobRuntime) -> StepResult:
        runtime.failed_steps += 1
        failures, job_id = runtime.failed_steps, runtime.job_id
        pause_s = backoff_s(
            failures, key=job_id, first_s=FIRST_STEP_PAUSE_S, max_s=MAX_STEP_PAUSE_S
        )
        if failures < MAX_FAILED_STEPS:
            return RetryAfter(after_s=pause_s)
        try:
            return await self._steps.give_up(runtime)
        except Exception as exc:
            if self._is_news(runtime, ("given up", type(exc).__name__)):
                log.exception("%s could not be given up", job_id, extra=_job(runtime))
            return RetryAfter(after_s=pause_s)

    def _is_news(self, runtime: JobRuntime, cause: object) -> bool:
        return runtime.reminders.is_due(cause, self._clock.monotonic())

    async def _is_over(self, result: StepResult, runtime: JobRuntime) -> bool:
        match result:
            case Done():
                return True
            case RetryAfter(after_s):
                timeout_s = after_s
            case AwaitWake():
                timeout_s = FALLBACK_WAKE_S
        try:
            async with asyncio.timeout(timeout_s):
                await runtime.woken.wait()
        except TimeoutError:
            pass  # the next step is due
        return False


def _is_out_of_room(error: Exception) -> bool:
    """Whether the operator has to free disk space or memory before the job can continue."""
    is_disk_full = isinstance(error, OSError) and error.errno in DISK_FULL
    return is_disk_full or isinstance(error, NoRoom)


def _job(runtime: JobRuntime) -> dict[str, str]:
    return {"job": runtime.job_id}
