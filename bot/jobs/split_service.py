"""Users' actions: request, view and cancel a split.

The rest of a job's work happens in the background.
"""

import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bot.accounts.admission import GuildAdmission
from bot.accounts.quotas import Quotas
from bot.accounts.user_limits import RefusedFiles
from bot.concurrency import with_pauses
from bot.domain.errors import (
    NotFound,
    Problem,
    QuotaExceeded,
    Reason,
    Rejected,
)
from bot.domain.job import BatchId, Context, Job, JobId, Reply, Request, State, UserId
from bot.domain.recipes import AudioFormat
from bot.domain.titles import title_of
from bot.jobs.disk_needs import DiskNeeds
from bot.jobs.intake import Limits
from bot.jobs.job_runtime import Core
from bot.jobs.runner import Runner
from bot.jobs.termination import Termination
from bot.providers.interface import Capabilities
from bot.scheduling.plans import Offer, offers, plan
from storage.database.timely_write import TimelyWrites
from storage.database.write_retry import retry_write
from storage.stores.job_store import new_job_id
from storage.stores.standing import Standing

log = logging.getLogger(__name__)

RESUMED_AT_ONCE = 20
"""The number of jobs that begin before other tasks have their turn."""
RESUME_PAUSE_S = 0.005
"""How long other tasks have their turn before more jobs begin."""
INTERACTION_BITS = 62
"""The bits of the random number that replaces the interaction id in a batch's job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """The providers, formats and limits of this installation."""

    providers: Iterable[Capabilities]
    formats: tuple[AudioFormat, ...]
    limits: Limits
    max_active_jobs: int


class SplitService:
    """Handles users' requests to split songs, and their jobs."""

    def __init__(
        self,
        *,
        core: Core,
        quotas: Quotas,
        admission: GuildAdmission,
        termination: Termination,
        runner: Runner,
        needs: DiskNeeds,
        refused_files: RefusedFiles,
        offering: Offering,
    ) -> None:
        self._core = core
        self._jobs = core.jobs
        self._clock = core.clock
        self._quotas = quotas
        self._admission = admission
        self._termination = termination
        self._runner = runner
        self._disk_guard = core.disk_guard
        self._needs = needs
        self._refused_files = refused_files
        self._runtimes = core.runtimes
        self._offering = offering
        self._writes = TimelyWrites(clock=core.clock)

    @property
    def formats(self) -> tuple[AudioFormat, ...]:
        """The audio formats that can be delivered."""
        return self._offering.formats

    @property
    def limits(self) -> Limits:
        """The limits on a user's file."""
        return self._offering.limits

    @property
    def max_active_jobs(self) -> int:
        """The number of unfinished jobs that a user may have."""
        return self._offering.max_active_jobs

    def offers(self) -> tuple[Offer, ...]:
        """Return the recipes that a configured provider can serve."""
        return offers(self._offering.providers)

    def provider_titles(self) -> Mapping[str, str]:
        """Return the configured providers' titles by name, in order of preference."""
        return {each.name: each.title for each in self._offering.providers}

    def answering(self) -> AbstractContextManager[None]:
        """Let no new job begin while a request is being answered; see `Runner.answering`."""
        return self._runner.answering()

    async def receive(
        self,
        *,
        interaction_id: int,
        request: Request,
        reply: Reply,
        standing: Standing | None = None,
    ) -> Job:
        """Store a request; a repeated interaction returns the job stored first.

        `standing` is the user's, if the caller has just read it. Raises Rejected, or
        StoreUnavailable if the request was not stored in time. If it is stored after that, it is
        cancelled in the background.
        """
        self._check(request)
        now = self._clock.now()
        job = Job(
            id=new_job_id(),
            interaction_id=interaction_id,
            request=request,
            reply=reply,
            created_at=now,
            updated_at=now,
            title=title_of(request.source.filename),
        )

        async def withdraw(stored: Job) -> None:
            # Another call may have stored a job for the same interaction, which is left alone.
            if stored.id == job.id:
                await self._termination.withdraw(stored)

        return await self._writes.store(self._store(job, standing), withdraw=withdraw)

    async def start_in_batch(
        self, *, batch_id: BatchId, number: int, request: Request, reply: Reply
    ) -> Job:
        """Store a song of an acknowledged batch as a job, and start it.

        `reply` is where the batch is shown, without its token. Raises Rejected, with TOO_MANY_JOBS
        while the song has to wait, and StateMoved if it no longer waits.
        """
        self._check(request)
        now = self._clock.now()
        job = Job(
            id=new_job_id(),
            interaction_id=-secrets.randbits(INTERACTION_BITS),
            request=request,
            reply=reply,
            created_at=now,
            updated_at=now,
            acknowledged_at=now,
            title=title_of(request.source.filename),
            batch_id=batch_id,
        )
        standing = await self._quotas.standing(job.request.user_id, job.membership)
        self._admission.check_rules(standing, job.reply)
        await self._require_means(job, standing)
        job = await self._jobs.add(
            job, max_active=self._offering.max_active_jobs, batch_number=number
        )
        self._runner.run(job.id)
        return job

    async def acknowledged(self, job_id: JobId, *, message_id: int | None) -> None:
        """Record that the user saw an answer, and start the job.

        The user relies on the answer, so the record is retried while the store is unavailable.
        Raises Rejected if the job has since been cancelled, because no card will say so.
        """
        await retry_write(lambda: self._note_acknowledged(job_id, message_id), what=job_id)
        if self._core.signals is not None and self._core.is_of_other_bot(await self._need(job_id)):
            # The app may be used in a server whose shard does not get its commands.
            await self._core.tell_its_bot(job_id)
            return
        self._runner.run(job_id)

    async def unacknowledged(self, job_id: JobId, *, in_doubt: bool = False) -> None:
        """Cancel a request whose acknowledgement Discord refused, so that its user sees no reply.

        If `in_doubt`, the user may see a reply, which then says what happened.
        """
        await retry_write(lambda: self._withdraw(job_id, in_doubt=in_doubt), what=job_id)

    async def cancel(self, job_id: JobId, *, user_id: UserId) -> Job:
        """Cancel the caller's job; a job that is ready or has ended is returned unchanged."""
        job = await self.get(job_id, user_id=user_id)
        return await self._termination.cancel(job, Problem(Reason.STOPPED_BY_USER))

    async def cancel_in(self, job_id: JobId, *, guild_id: int) -> Job:
        """Cancel any user's job in this server, on behalf of one of its managers.

        Raises NotFound if the job's reply is elsewhere.
        """
        job = await self._need(job_id)
        if job.reply.guild_id != guild_id:
            raise NotFound(job_id)
        return await self._termination.cancel(job, Problem(Reason.STOPPED_BY_MANAGER))

    async def get(self, job_id: JobId, *, user_id: UserId) -> Job:
        """Return the caller's job. Raises NotFound, even if another user has this job."""
        job = await self._need(job_id)
        if job.request.user_id != user_id:
            raise NotFound(job_id)
        return job

    async def get_visible(self, job_id: JobId, *, user_id: UserId, channel_id: int | None) -> Job:
        """Return a job that the caller may see in this channel: their own, or one with a public
        card.

        Raises NotFound for all others.
        """
        job = await self._need(job_id)
        is_public = not job.reply.is_ephemeral and job.reply.context is not Context.BOT_DM
        is_here = channel_id is not None and channel_id == job.reply.channel_id
        if job.request.user_id != user_id and not (is_public and is_here):
            raise NotFound(job_id)
        return job

    async def stop(self, job: Job, reason: Reason) -> Job:
        """Cancel a job for this reason, regardless of its user; see `cancel`."""
        return await self._termination.cancel(job, Problem(reason))

    async def jobs_of(self, user_id: UserId, *, limit: int = 10) -> list[Job]:
        """Return the user's jobs, newest first."""
        return await self._jobs.of_user(user_id, limit)

    async def with_stems(self, user_id: UserId, *, limit: int = 25) -> list[Job]:
        """Return the user's jobs that can be shown again, newest first."""
        return await self._jobs.with_stems(user_id, limit)

    async def restore(self) -> Sequence[Job]:
        """Restore what unfinished jobs occupy, and return these jobs for `resume`.

        Jobs that were never acknowledged are cancelled instead. Call it at the start, before
        requests arrive, so that no new job gets the space of an earlier one, or its place at a
        provider. Raises StoreUnavailable. Safe to repeat.
        """
        unfinished = []
        for job in await self._jobs.unfinished():
            if job.state is State.RECEIVED and job.acknowledged_at is None:
                # Discord may have accepted the answer just before the process ended.
                await self._withdraw(job.id, in_doubt=True)
            else:
                unfinished.append(job)
        # Nothing may fail from here on: if a job ended before this was repeated, what was restored
        # for it would stay occupied.
        for job in unfinished:
            self._runtimes.open(job.id).promised_bytes = self._needs.of(job)
            if job.state is State.PROCESSING and job.provider is not None:
                self._core.queue.restore(job.provider, job)
        return unfinished

    async def resume(self, jobs: Sequence[Job]) -> None:
        """Run the jobs that `restore` returned, a few at a time; requests may arrive meanwhile."""
        # Let the jobs that have begun make progress before more begin.
        async for job in with_pauses(jobs, at_a_time=RESUMED_AT_ONCE, pause_s=RESUME_PAUSE_S):
            self._runner.run(job.id)
        if jobs:
            log.info("all unfinished jobs have begun")

    async def _note_acknowledged(self, job_id: JobId, message_id: int | None) -> None:
        if await self._jobs.acknowledge(job_id, self._clock.now(), message_id=message_id):
            return
        job = await self._need(job_id)
        if job.acknowledged_at is None and job.problem is not None:
            raise Rejected(job.problem.reason, **job.problem.facts)

    async def _withdraw(self, job_id: JobId, *, in_doubt: bool) -> None:
        await self._termination.withdraw(await self._need(job_id), in_doubt=in_doubt)

    def _check(self, request: Request) -> None:
        limits = self._offering.limits
        if request.source.size_bytes > limits.max_bytes:
            raise Rejected(Reason.TOO_BIG, limit_mib=round(limits.max_file_mib))
        if request.source.size_bytes == 0:
            raise Rejected(Reason.EMPTY_FILE)
        known = {each.name: each for each in self._offering.providers}
        if request.provider is not None and request.provider not in known:
            raise Rejected(Reason.UNKNOWN_PROVIDER, provider=request.provider)
        asked = [known[request.provider]] if request.provider else list(known.values())
        if all(plan(request.recipe, each) is None for each in asked):
            provider = asked[0].title if request.provider else ""
            raise Rejected(Reason.NO_PROVIDER, recipe=request.recipe, provider=provider)

    async def _store(self, job: Job, standing: Standing | None) -> Job:
        try:
            await self._admit(job, standing)
        except Rejected:
            # An interaction that arrives twice must not be refused because of what its first
            # arrival used. The lookup comes after the checks, so that it finds a job stored in the
            # meantime.
            if (known := await self._jobs.of_interaction(job.interaction_id)) is None:
                raise
            return known
        return await self._jobs.add(job, max_active=self._offering.max_active_jobs)

    async def _admit(self, job: Job, standing: Standing | None) -> None:
        if standing is None:
            standing = await self._quotas.standing(job.request.user_id, job.membership)
        self._admission.check(standing, job.reply)
        await self._require_means(job, standing)

    async def _require_means(self, job: Job, standing: Standing) -> None:
        """Raise Rejected without minutes or disk space, and during a pause after refused files."""
        _check_quota(standing)
        self._refused_files.check(job.request.user_id)
        await self._disk_guard.check(self._needs.to_wait(job))

    async def _need(self, job_id: JobId) -> Job:
        job = await self._jobs.get(job_id)
        if job is None:
            raise NotFound(job_id)
        return job


def _check_quota(standing: Standing) -> None:
    own, shared = standing.own, standing.shared
    if own.left == 0 and (shared is None or shared.left == 0):
        raise QuotaExceeded(
            needed=1,
            left=0,
            allowance=own.total,
            resets_at=int(own.period.ends_at.timestamp()),
        )
