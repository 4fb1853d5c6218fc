"""From `ready` to `delivered` or `kept`: make the parcel, hand it over, look what came of it."""

import logging
from collections import Counter

from bot.accounts.quotas import Quotas
from bot.audio.tasks import DoesNotFit
from bot.delivery.builder import MAX_SHRINKS, DeliveryBuilder
from bot.delivery.port import Delivered, Delivery, DeliveryPort, Refused, ReplyUnavailable
from bot.domain.backoff import backoff_s
from bot.domain.clock import Clock
from bot.domain.errors import Problem, Reason
from bot.domain.job import DeliveryDifference, Job, JobId, State
from bot.domain.recipes import OUTPUTS
from bot.jobs.step_result import Done, RetryAfter, StepResult
from bot.jobs.termination import Termination
from bot.scheduling.progress import Progress, ProgressBoard, Stage
from storage.files.job_files import JobDir, JobFiles
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)

MAX_PAUSE_S = 60.0
MOST_MESSAGES = 2
"""The reply, and where that is not enough, one more."""


class DeliverStep:
    """Brings masters to their reply, in the best form that fits."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        parcels: DeliveryBuilder,
        delivery: DeliveryPort,
        endings: Termination,
        quotas: Quotas,
        board: ProgressBoard,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._parcels = parcels
        self._delivery = delivery
        self._endings = endings
        self._quotas = quotas
        self._board = board
        self._clock = clock
        self._shrinks: Counter[JobId] = Counter()
        self._waits: Counter[JobId] = Counter()
        self._singles: set[JobId] = set()

    async def deliver(self, job: Job) -> StepResult:
        """Deliver a ready job, or keep it for /result. Safe to repeat until it is saved."""
        if job.files_expired:
            return await self.keep(job, "its reply was out of reach until its time was over")
        where = await self._files.prepare(job.id)
        stems = [output.stem for output in OUTPUTS[job.request.recipe]]
        if not await self._files.holds(job.id, stems):
            return await self._endings.fail(job, Problem(Reason.STEMS_LOST))
        self._board.put(job.id, Progress(stage=Stage.ENCODING))
        try:
            parcel = await self._parcel(job, where)
        except DoesNotFit as exc:
            return await self.keep(job, f"no form fits: {exc}")
        self._board.put(job.id, Progress(stage=Stage.UPLOADING))
        try:
            answer = await self._delivery.deliver(job, parcel)
        except ReplyUnavailable as exc:
            return self._later(job, exc)
        match answer:
            case Delivered(message_id):
                return await self._delivered(job, message_id, parcel.sent)
            case Refused(one_only=True) if job.id not in self._singles:
                self._singles.add(job.id)
                return RetryAfter()
            case Refused(too_large=True) if self._shrinks[job.id] < MAX_SHRINKS:
                self._shrinks[job.id] += 1
                return RetryAfter()
            case Refused(detail):
                return await self.keep(job, detail)

    async def keep(self, job: Job, why: str) -> Done:
        """Leave a ready job's stems for /result; `why` is for the operator."""
        kept = job.kept(self._clock.now())
        await self._jobs.save(kept, expected=State.READY, note=why)
        log.warning("%s is kept: %s", job.id, why, extra={"job": job.id, "action": "kept"})
        return await self._clear(job.id)

    async def _delivered(
        self, job: Job, message_id: int | None, sent: DeliveryDifference | None
    ) -> Done:
        delivered = job.delivered(self._clock.now(), message_id=message_id, sent=sent)
        await self._jobs.save(delivered, expected=State.READY, reply_is_current=True)
        self._delivery.forget(job.id)
        log.info("%s is delivered", job.id, extra={"job": job.id, "action": "delivered"})
        return await self._clear(job.id)

    async def _parcel(self, job: Job, where: JobDir) -> Delivery:
        return await self._parcels.make(
            job,
            where,
            where.parcel,
            limit_bytes=job.reply.size_limit_bytes,
            shrinks=self._shrinks[job.id],
            messages=1 if job.id in self._singles else MOST_MESSAGES,
            usage=await self._quotas.paying_for(job),
        )

    def _later(self, job: Job, error: ReplyUnavailable) -> RetryAfter:
        self._waits[job.id] += 1
        log.warning("%s: the reply must wait: %s", job.id, error)
        return RetryAfter(after_s=backoff_s(self._waits[job.id], key=job.id, max_s=MAX_PAUSE_S))

    async def _clear(self, job_id: JobId) -> Done:
        self._shrinks.pop(job_id, None)
        self._waits.pop(job_id, None)
        self._singles.discard(job_id)
        self._board.drop(job_id)
        await self._files.drop_parcel(job_id)
        return Done()
