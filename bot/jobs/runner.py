"""When each job takes its next step: one task a job, woken by time or by an event. No rules."""

import asyncio
import logging
from dataclasses import dataclass, field

from bot.domain.backoff import backoff_s
from bot.domain.errors import DISK_FULL, NoRoom, StoreUnavailable
from bot.domain.job import JobId
from bot.jobs.step_result import AwaitWake, Done, RetryAfter, StepResult
from bot.jobs.steps import Steps

log = logging.getLogger(__name__)

MAX_FAILURES = 6
"""Unexpected errors in a row, with growing pauses between them, before a job is given up."""
FIRST_PAUSE_S = 1.0
LOOK_AGAIN_S = 60.0
"""A job that waits to be woken looks by itself now and then, should nobody have woken it."""
STORE_PAUSE_S = 1.0
"""Asking whether a database is free again costs nothing; a step that needs room is work."""


@dataclass(slots=True)
class _Run:
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Runner:
    """Runs every unfinished job until it is over; claims live here, in memory."""

    def __init__(self) -> None:
        self._runs: dict[JobId, _Run] = {}
        self._steps: Steps | None = None
        self._stopping = False

    def start(self, steps: Steps) -> None:
        """Take the steps to run; jobs started or woken from now on are run by them."""
        self._steps = steps

    def run(self, job_id: JobId) -> None:
        """Run a job, or wake it if it runs already."""
        if self._stopping or self._steps is None:
            return
        if job_id in self._runs:
            self.wake(job_id)
            return
        run = self._runs[job_id] = _Run()
        run.task = asyncio.create_task(self._keep_stepping(job_id, run, self._steps), name=job_id)
        run.task.add_done_callback(lambda _: self._runs.pop(job_id, None))

    def wake(self, job_id: JobId) -> None:
        """Let a running job take its next step now; nothing for a job that is not run."""
        if (run := self._runs.get(job_id)) is not None:
            run.woken.set()

    async def interrupt(self, job_id: JobId) -> None:
        """Stop running a job and wait until its step has ended."""
        if (run := self._runs.get(job_id)) is not None and run.task is not None:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)

    async def stop(self, *, grace_s: float) -> None:
        """Take no more steps; let those under way end, or cancel them when the grace is over."""
        self._stopping = True
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for run in self._runs.values():
            run.woken.set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def running(self) -> int:
        """How many jobs are under way."""
        return len(self._runs)

    async def _keep_stepping(self, job_id: JobId, run: _Run, steps: Steps) -> None:
        failures = waits = 0
        while not self._stopping:
            run.woken.clear()
            try:
                outcome = await steps.advance(job_id)
                failures = waits = 0
            except Exception as exc:
                if isinstance(exc, StoreUnavailable):
                    log.warning("%s waits for the store: %s", job_id, exc)
                    outcome = RetryAfter(after_s=STORE_PAUSE_S)
                elif _is_out_of_room(exc):
                    waits += 1
                    log.warning("%s waits for room: %s", job_id, exc)
                    outcome = RetryAfter(after_s=backoff_s(waits, key=job_id))
                else:
                    failures += 1
                    log.exception("%s: a step failed", job_id, extra={"job": job_id})
                    outcome = await self._after_failure(job_id, failures, steps)
            if await self._is_over(outcome, run):
                return

    async def _after_failure(self, job_id: JobId, failures: int, steps: Steps) -> StepResult:
        if failures < MAX_FAILURES:
            return RetryAfter(after_s=backoff_s(failures, key=job_id, first_s=FIRST_PAUSE_S))
        try:
            return await steps.give_up(job_id)
        except Exception:
            log.exception("%s could not be given up", job_id, extra={"job": job_id})
            return RetryAfter(after_s=backoff_s(failures, key=job_id))

    async def _is_over(self, outcome: StepResult, run: _Run) -> bool:
        match outcome:
            case Done():
                return True
            case RetryAfter(after_s):
                timeout = after_s
            case AwaitWake():
                timeout = LOOK_AGAIN_S
        try:
            async with asyncio.timeout(timeout):
                await run.woken.wait()
        except TimeoutError:
            pass  # its time has come
        return False


def _is_out_of_room(error: Exception) -> bool:
    """Whether the machine has to be mended first, which is waited for."""
    is_disk_full = isinstance(error, OSError) and error.errno in DISK_FULL
    return is_disk_full or isinstance(error, NoRoom)
