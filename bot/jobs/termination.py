"""Ends jobs without a result, settling their minutes, attempts, files and places in queues."""

import logging

from bot.domain.errors import Problem, Reason, StateMoved, StoreUnavailable
from bot.domain.job import Job, State
from bot.domain.minutes import Refund, Void
from bot.jobs.job_runtime import Core, Done
from bot.jobs.reconcile import AttemptReconciler

log = logging.getLogger(__name__)


class Termination:
    """Ends jobs: steps call `fail`, and requests from outside call `cancel`."""

    def __init__(self, *, core: Core, reconciler: AttemptReconciler) -> None:
        self._core = core
        self._jobs = core.jobs
        self._reconciler = reconciler

    async def fail(self, job: Job, problem: Problem) -> Done:
        """End a job, uncharged, for a reason that its reply explains.

        Raises StateMoved if the job is no longer in its state.
        """
        failed = job.failed(self._core.clock.now(), problem)
        back = Refund(job.id) if job.state is State.READY else Void(job.id)
        await self._jobs.save(failed, expected=job.state, ledger=back, note=problem.reason)
        await self._end_attempts(failed)
        return Done()

    async def cancel(self, job: Job, problem: Problem) -> Job:
        """Cancel a job and give its minutes back; return the job.

        A job that is ready or has ended is returned unchanged. A submit in flight continues, and
        its answer is recorded as abandoned. If another bot processes the job, that bot ends its
        attempts.
        """
        while not (job.state.is_final or job.state is State.READY):
            try:
                return await self._cancel(job, problem)
            except StateMoved:
                job = await self._jobs.get(job.id) or job
        return job

    async def withdraw(self, job: Job, *, in_doubt: bool = False) -> None:
        """Cancel a request whose user saw no answer, unless it has been acknowledged by now.

        With `in_doubt`, the user may have seen an answer, so the reply says what happened.
        """
        if job.state is not State.RECEIVED or job.acknowledged_at is not None:
            return
        now = self._core.clock.now()
        asked = job.acknowledged(now, message_id=None) if in_doubt else job
        withdrawn = asked.cancelled(now, Problem(Reason.UNACKNOWLEDGED))
        try:
            await self._jobs.save(
                withdrawn,
                expected=State.RECEIVED,
                only_unacknowledged=True,
                note=Reason.UNACKNOWLEDGED,
            )
        except StateMoved:
            return
        await self._clear(withdrawn)

    async def _cancel(self, job: Job, problem: Problem) -> Job:
        cancelled = job.cancelled(self._core.clock.now(), problem)
        note = problem.reason
        await self._jobs.save(cancelled, expected=job.state, ledger=Void(job.id), note=note)
        if self._core.is_of_other_bot(cancelled):
            await self._core.tell_its_bot(job.id)
        else:
            await self.clean_up(cancelled)
        return cancelled

    async def clean_up(self, job: Job) -> None:
        """Stop the steps of a job that was ended from outside, and end its attempts."""
        await self._core.runtimes.interrupt(job.id)
        await self._end_attempts(job)

    async def _end_attempts(self, job: Job) -> None:
        try:
            for attempt in await self._jobs.attempts(job.id):
                await self._reconciler.abandon(job, attempt)
        finally:
            # This must happen even after an error, since other jobs wait for this one's place.
            await self._clear(job)

    async def _clear(self, job: Job) -> None:
        """Free the job's place, delete its files and have its reply updated."""
        reason = job.problem.reason if job.problem else None
        log.info(
            "%s is %s: %s", job.id, job.state, reason, extra={"job": job.id, "action": job.state}
        )
        self._core.queue.release(job.id)
        self._core.board.poke()
        try:
            await self._core.files.remove(job.id)
        except StoreUnavailable as exc:
            # Retention removes them eventually.
            log.warning("%s: its files stay for now: %s", job.id, exc)
