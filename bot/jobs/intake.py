"""From `received` to `held`: bring the file here, decode it, reserve its minutes.

A file of which the user has the very stems already leads straight to `ready`, uncharged.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from bot.accounts.quotas import Quotas
from bot.audio.tasks import Decoded
from bot.audio.tools import AudioTools
from bot.domain.backoff import backoff_s
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, State, UserId
from bot.domain.minutes import minutes_of
from bot.domain.titles import title_of
from bot.jobs.runtime import AwaitWake, Core, JobRuntime, RetryAfter, StepResult
from bot.net.downloads import DownloadFailed, DownloadRefused, Downloads, DownloadTooBig
from bot.scheduling.progress import Progress, Stage
from bot.scheduling.sources import RenewalUnavailable, Sources

log = logging.getLogger(__name__)

MAX_DOWNLOADS = 10
"""Tries of one file. The pauses between them add up to more than two minutes, which outlasts
most outages of Discord's file store."""
DOWNLOAD_DEADLINE_S = 300.0
_ENDED = frozenset({403, 404, 410})
"""What a server says of an address that it has signed no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a user may send."""

    max_file_mib: float
    max_duration_minutes: float

    @property
    def max_bytes(self) -> int:
        """The size limit in bytes."""
        return int(self.max_file_mib * 1024 * 1024)


class IntakeStep:
    """Takes a request's file in; one file per user at a time."""

    def __init__(
        self,
        *,
        core: Core,
        downloads: Downloads,
        sources: Sources,
        audio: AudioTools,
        quotas: Quotas,
        limits: Limits,
    ) -> None:
        self._core = core
        self._jobs = core.jobs
        self._files = core.files
        self._downloads = downloads
        self._sources = sources
        self._audio = audio
        self._quotas = quotas
        self._limits = limits
        self._users: WeakValueDictionary[UserId, asyncio.Lock] = WeakValueDictionary()

    async def take_in(self, job: Job, runtime: JobRuntime) -> StepResult:
        """Hold the job's minutes. Raises Rejected when the file or the quota does not allow it."""
        if job.acknowledged_at is None:
            return AwaitWake()
        async with self._turn_of(job.request.user_id):
            try:
                digest = await self._bring(job)
            except DownloadFailed as exc:
                return _try_again(runtime, exc)
            runtime.failed_downloads = 0
            if await self._is_repeat(job, digest):
                return RetryAfter()
            decoded = await self._decode(job)
        return await self._hold(job, decoded, digest)

    async def _hold(self, job: Job, decoded: Decoded, digest: str) -> StepResult:
        minutes = minutes_of(decoded.frames)
        title = title_of(job.request.source.filename, title=decoded.title, artist=decoded.artist)
        held = job.held(
            self._core.clock.now(),
            frames=decoded.frames,
            minutes=minutes,
            title=title,
            digest=digest,
            ends_early=decoded.ends_early,
            artist=decoded.artist,
            album=decoded.album,
        )
        hold = await self._quotas.hold(job, minutes)
        await self._jobs.save(held, expected=State.RECEIVED, ledger=hold)
        log.info("%s holds %d min", job.id, minutes, extra={"job": job.id, "action": "held"})
        return RetryAfter()

    async def _is_repeat(self, job: Job, digest: str) -> bool:
        """Take the stems over from the job that made them before, if there is one."""
        earlier = await self._jobs.made_before(job.request, digest)
        if earlier is None:
            return False
        try:
            await self._files.take_over(earlier.id, job.id, earlier.stems)
        except FileNotFoundError:
            return False  # its time was over meanwhile, or one is lost
        await self._files.settle(job.id)
        repeated = job.repeated(self._core.clock.now(), earlier, title=_title_again(job, earlier))
        await self._jobs.save(repeated, expected=State.RECEIVED, note=earlier.id)
        await self._files.drop_work(job.id)
        log.info("%s repeats %s", job.id, earlier.id, extra={"job": job.id, "action": State.READY})
        return True

    async def _bring(self, job: Job) -> str:
        """Download the file and return its digest."""
        where = await self._files.prepare(job.id)
        self._core.board.put(job.id, Progress(stage=Stage.DOWNLOADING))
        try:
            try:
                await self._fetch(job.request.source.url, where.input)
            except DownloadRefused as exc:
                if exc.status not in _ENDED:
                    raise
                await self._fetch(await self._fresh_address(job), where.input)
        except DownloadTooBig as exc:
            raise Rejected(Reason.TOO_BIG, limit_mib=round(self._limits.max_file_mib)) from exc
        except DownloadRefused as exc:
            raise Rejected(Reason.DOWNLOAD_FAILED) from exc
        return await self._files.digest(job.id)

    async def _fetch(self, url: str, into: Path) -> None:
        await self._downloads.fetch(
            url, into, max_bytes=self._limits.max_bytes, deadline_s=DOWNLOAD_DEADLINE_S
        )

    async def _fresh_address(self, job: Job) -> str:
        # Its own has ended while nobody was here, or was cut when an earlier job's files expired.
        try:
            return await self._sources.renew(job)
        except RenewalUnavailable as exc:
            raise DownloadFailed("its address cannot be renewed now") from exc

    async def _decode(self, job: Job) -> Decoded:
        where = self._files.of(job.id)
        self._core.board.put(job.id, Progress(stage=Stage.CHECKING))
        minutes = self._limits.max_duration_minutes
        try:
            return await self._audio.decode(where.input, where.mixture, max_duration_s=minutes * 60)
        except Rejected as exc:
            if exc.problem.reason is Reason.TOO_LONG and minutes >= 1:
                raise Rejected(Reason.TOO_LONG, limit_minutes=round(minutes)) from exc
            raise

    @asynccontextmanager
    async def _turn_of(self, user_id: UserId) -> AsyncIterator[None]:
        # Held by those who wait for it, and gone with the last of them.
        lock = self._users.setdefault(user_id, asyncio.Lock())
        async with lock:
            yield


def _title_again(job: Job, earlier: Job) -> str:
    """Return the new file's name as the title, unless the same tags give the same one."""
    if earlier.title == title_of(earlier.request.source.filename):
        return title_of(job.request.source.filename)
    return earlier.title


def _try_again(runtime: JobRuntime, error: DownloadFailed) -> RetryAfter:
    runtime.failed_downloads += 1
    if runtime.failed_downloads == MAX_DOWNLOADS:
        raise Rejected(Reason.DOWNLOAD_FAILED) from error
    log.warning("%s: download failed: %s", runtime.job_id, error)
    return RetryAfter(after_s=backoff_s(runtime.failed_downloads, key=runtime.job_id))
