"""The step from `ready` to `delivered` or `kept`: encodes the stems and puts them into the
reply.
"""

import logging
from dataclasses import replace
from functools import partial

from bot.accounts.quotas import Quotas
from bot.audio.tasks import DoesNotFit
from bot.delivery.builder import MAX_SHRINKS, DeliveryBuilder
from bot.delivery.port import Delivered, Delivery, DeliveryPort, Refused, ReplyUnavailable
from bot.delivery.song_analyser import SongAnalyser
from bot.domain.backoff import backoff_s
from bot.domain.errors import AudioFailed, Problem, Reason, Rejected
from bot.domain.job import DeliveryDifference, Job, State
from bot.domain.renditions import UNCHANGED
from bot.jobs.job_runtime import Core, Delivering, Done, JobRuntime, RetryAfter, StepResult
from bot.jobs.termination import Termination
from bot.scheduling.progress import Progress, Stage
from storage.files.job_files import JobDir

log = logging.getLogger(__name__)

MAX_DELIVERY_PAUSE_S = 60.0
ANALYSIS_WITHIN_S = 1.0
"""The time to wait for the song's key and tempo, which are written into the files' tags."""
BATCH_ANALYSIS_WITHIN_S = 0.0
"""A batch's songs are shown later, so they do not wait for it."""
RENDERING_TRIES = 3
"""The number of failures of rendering after which unchanged stems are delivered."""
MAX_MESSAGES = 2
"""The reply, and a second message if the files do not fit into it."""


class DeliverStep:
    """Delivers a job's masters to its reply, in the best form that fits."""

    def __init__(
        self,
        *,
        core: Core,
        builder: DeliveryBuilder,
        analyser: SongAnalyser,
        port: DeliveryPort,
        termination: Termination,
        quotas: Quotas,
    ) -> None:
        self._core = core
        self._jobs = core.jobs
        self._files = core.files
        self._builder = builder
        self._analyser = analyser
        self._port = port
        self._termination = termination
        self._quotas = quotas

    async def deliver(self, job: Job, runtime: JobRuntime) -> StepResult:
        """Deliver a ready job, or keep it for /result.

        Safe to repeat until the job is saved.
        """
        if job.files_expired:
            return await self.keep(job, "its reply was unavailable until its files expired")
        where = await self._files.prepare(job.id)
        if not await self._files.holds(job.id, job.stems):
            self._analyser.forget(job.id)
            return await self._termination.fail(job, Problem(Reason.STEMS_LOST))
        await self._files.bring(job.id, job.stems)
        if job.batch_id is not None:
            # The batch's card shows that the stems are there, and brings them when asked.
            job = await self._analysed(job, where, within_s=BATCH_ANALYSIS_WITHIN_S)
            return await self._delivered(job, None, None)
        try:
            job = await self._analysed(job, where, within_s=ANALYSIS_WITHIN_S)
            delivery = await self._encoded(job, runtime.delivering, where)
            job = await self._analysed(job, where, within_s=0)
        except DoesNotFit as exc:
            return await self.keep(job, f"no form fits: {exc}")
        self._core.board.put(job.id, Progress(stage=Stage.UPLOADING))
        try:
            answer = await self._port.deliver(job, delivery)
        except ReplyUnavailable as exc:
            return _later(job, runtime.delivering, exc)
        except FileNotFoundError:
            runtime.delivering.encoded = None  # a file is missing, so encode the stems again
            raise
        match answer:
            case Delivered(message_id):
                return await self._delivered(job, message_id, delivery.sent)
            case Refused() if _is_smaller_possible(answer, runtime.delivering):
                return RetryAfter()
            case Refused(detail):
                return await self.keep(job, detail)

    async def keep(self, job: Job, why: str) -> Done:
        """Leave a ready job's stems for /result; `why` is for the operator."""
        self._analyser.forget(job.id)
        kept = job.kept(self._core.clock.now())
        await self._jobs.save(kept, expected=State.READY, note=why)
        log.warning("%s is kept: %s", job.id, why, extra={"job": job.id, "action": "kept"})
        await self._files.drop_parcel(job.id)
        return Done()

    async def _delivered(
        self, job: Job, message_id: int | None, sent: DeliveryDifference | None
    ) -> Done:
        delivered = job.delivered(self._core.clock.now(), message_id=message_id, sent=sent)
        await self._jobs.save(delivered, expected=State.READY, reply_is_current=True)
        self._port.forget(job.id)
        self._analyser.forget(job.id)
        log.info("%s is delivered", job.id, extra={"job": job.id, "action": "delivered"})
        await self._files.drop_parcel(job.id)
        return Done()

    async def _analysed(self, job: Job, where: JobDir, *, within_s: float) -> Job:
        masters = [(stem, where.master(stem)) for stem in job.stems]
        analysis = await self._analyser.analysis_of(job, masters, within_s=within_s)
        return replace(job, analysis=analysis)

    async def _encoded(self, job: Job, delivering: Delivering, where: JobDir) -> Delivery:
        usage = await self._quotas.paying_for(job)
        if delivering.encoded is None or delivering.encoded.has_ended(self._core.clock.now()):
            self._core.board.put(job.id, Progress(stage=Stage.ENCODING))
            delivering.encoded = await self._built(job, delivering, where)
        if delivering.encoded.links:
            await self._files.keep_linked(job.id)
        return replace(delivering.encoded, usage=usage)

    async def _built(self, job: Job, delivering: Delivering, where: JobDir) -> Delivery:
        """Encode the stems as requested, or unchanged if they cannot be rendered."""
        build = partial(
            self._builder.build,
            where=where,
            into=where.parcel,
            limit_bytes=job.reply.size_limit_bytes,
            shrinks=delivering.shrinks,
            messages=1 if delivering.is_single_message else MAX_MESSAGES,
        )
        try:
            return await build(job)
        except Rejected as exc:
            log.error("%s: not rendered: %s", job.id, exc)  # noqa: TRY400 - the reason says it all
        except AudioFailed as exc:
            delivering.failed_renditions += 1
            is_hopeless = delivering.failed_renditions >= RENDERING_TRIES
            if job.request.rendition.is_plain or not is_hopeless:
                raise
            log.error("%s: not rendered: %s", job.id, exc)  # noqa: TRY400 - the reason says it all
        plain = await build(job.asked_as(rendition=UNCHANGED))
        return replace(plain, sent=DeliveryDifference.NOT_RENDERED)


def _is_smaller_possible(refused: Refused, delivering: Delivering) -> bool:
    """Whether a smaller delivery is possible; if so, set its limits and drop the current one."""
    if refused.one_only and not delivering.is_single_message:
        delivering.is_single_message = True
    elif refused.too_large and delivering.shrinks < MAX_SHRINKS:
        delivering.shrinks += 1
    else:
        return False
    delivering.encoded = None
    return True


def _later(job: Job, delivering: Delivering, error: ReplyUnavailable) -> RetryAfter:
    delivering.failures += 1
    log.warning("%s: its reply is unavailable: %s", job.id, error)
    return RetryAfter(
        after_s=backoff_s(delivering.failures, key=job.id, max_s=MAX_DELIVERY_PAUSE_S)
    )
