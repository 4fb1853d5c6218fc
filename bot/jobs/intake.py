"""The step from `received` to `held`: downloads and decodes the file and reserves its minutes.

If the user already has the same stems of the same file, the job goes straight to `ready`,
uncharged.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from bot.accounts.quotas import Quotas
from bot.accounts.user_limits import RefusedFiles, RepeatLimit
from bot.audio.spool import FRAME_BYTES
from bot.audio.tasks import Decoded
from bot.audio.tools import AudioTools
from bot.concurrency import both
from bot.domain.backoff import backoff_s
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, State, UserId
from bot.domain.minutes import SAMPLE_RATE, minutes_of
from bot.domain.titles import title_of
from bot.jobs.disk_needs import DiskNeeds
from bot.jobs.job_runtime import AwaitWake, Core, JobRuntime, RetryAfter, StepResult
from bot.net.downloads import DownloadFailed, DownloadRefused, Downloads, DownloadTooBig
from bot.providers.interface import WarmsUp
from bot.scheduling.plans import plan
from bot.scheduling.progress import Progress, Stage
from bot.scheduling.sources import RenewalUnavailable, Sources

log = logging.getLogger(__name__)

MAX_DOWNLOADS = 10
"""The maximum number of tries for one file. The pauses between them add up to more than two
minutes, which is longer than most outages of Discord's file store."""
DOWNLOAD_DEADLINE_S = 300.0
ROOM_PAUSE_S = 1.0
"""The pause between checks for room by the first job in line; the other jobs are woken."""
_ENDED = frozenset({403, 404, 410})
"""Statuses with which a server answers once an address's signature has expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits on a user's file."""

    max_file_mib: float
    max_duration_minutes: float

    @property
    def max_bytes(self) -> int:
        """The largest file, in bytes."""
        return int(self.max_file_mib * 1024 * 1024)

    @property
    def max_frames(self) -> int:
        """The longest song, in frames."""
        return int(self.max_duration_minutes * 60 * SAMPLE_RATE)


class IntakeStep:
    """Takes in a request's file, one file per user at a time."""

    def __init__(
        self,
        *,
        core: Core,
        downloads: Downloads,
        sources: Sources,
        audio: AudioTools,
        quotas: Quotas,
        limits: Limits,
        needs: DiskNeeds,
        refused_files: RefusedFiles,
        repeat_limit: RepeatLimit,
    ) -> None:
        self._core = core
        self._jobs = core.jobs
        self._files = core.files
        self._downloads = downloads
        self._sources = sources
        self._audio = audio
        self._quotas = quotas
        self._limits = limits
        self._needs = needs
        self._refused_files = refused_files
        self._repeat_limit = repeat_limit
        self._users: WeakValueDictionary[UserId, asyncio.Lock] = WeakValueDictionary()

    async def take_in(self, job: Job, runtime: JobRuntime) -> StepResult:
        """Download and decode the file, and hold the minutes.

        Raises Rejected if the file or the quota does not allow it.
        """
        if job.acknowledged_at is None:
            return AwaitWake()
        async with self._turn_of(job.request.user_id):
            if runtime.digest is None:
                if not await self._has_room_for_file(job):
                    return self._wait_for_room(job)
                try:
                    runtime.digest = await self._bring(job)
                except DownloadFailed as exc:
                    return _try_again(runtime, exc)
                runtime.failed_downloads = 0
            if await self._is_repeat(job, runtime, runtime.digest):
                return RetryAfter()
            if not (most_frames := await self._room(job)):
                return self._wait_for_room(job)
            await self._files.keep_input(job.id)
            decoded = await self._decode_or_note(job, most_frames)
            await self._core.disk_guard.promise(
                job.id, self._needs.to_separate(job, decoded.frames)
            )
        return await self._hold(job, decoded, runtime.digest)

    async def restore(self, job: Job) -> None:
        """Bring the decoded song of a job that holds minutes back to this disk, at the billed
        length.

        A machine that has lost the song, or that took over the job, gets the user's file from the
        object store, or else from its source. Raises Rejected if the file is not there either, or
        has changed. Does nothing without an object store.
        """
        frames, where = job.frames or 0, self._files.of(job.id)
        if not self._files.is_shared or await asyncio.to_thread(_has, where.mixture, frames):
            return
        await self._files.prepare(job.id)
        try:
            await self._files.bring_input(job.id)
        except FileNotFoundError:
            if await self._bring(job) != job.digest:
                raise Rejected(Reason.SOURCE_GONE) from None
        if (await self._decode(job, frames)).frames != frames:
            raise Rejected(Reason.SOURCE_GONE)
        log.info("%s: its song is restored", job.id, extra={"job": job.id})

    async def _has_room_for_file(self, job: Job) -> bool:
        """Whether there is room for the file itself.

        The file does not wait its turn while there is room, because it is small compared to its
        spool.
        """
        guard, size_bytes = self._core.disk_guard, self._needs.to_wait(job)
        if await guard.promise(job.id, size_bytes):
            return True
        granted = await guard.promise_in_turn(job.id, size_bytes)
        if 0 < granted < size_bytes:
            raise Rejected(Reason.DISK_FULL)
        return granted > 0

    async def _room(self, job: Job) -> int:
        """Return how many frames there is room for, up to the limit; 0 while the job has to
        wait.
        """
        most_frames = self._limits.max_frames
        wanted = self._needs.to_separate(job, most_frames)
        granted = await self._core.disk_guard.promise_in_turn(job.id, wanted)
        return min(most_frames, self._needs.frames_within(job, granted))

    def _wait_for_room(self, job: Job) -> StepResult:
        """Wait with the undecoded file until there is room for the whole job."""
        ahead = self._core.disk_guard.ahead(job.id)
        self._core.board.put(job.id, Progress(stage=Stage.WAITING, ahead=ahead))
        return AwaitWake() if ahead else RetryAfter(after_s=ROOM_PAUSE_S)

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

    async def _is_repeat(self, job: Job, runtime: JobRuntime, digest: str) -> bool:
        """Reuse the stems of an earlier job if there is one; return whether there was."""
        earlier = await self._jobs.made_before(job.request, digest)
        if earlier is None:
            return False
        if not runtime.is_counted_repeat:
            self._repeat_limit.take(job.request.user_id)
            runtime.is_counted_repeat = True
        title = _title_again(job, earlier)
        is_same_title = title == earlier.title
        try:
            await self._files.take_over(
                earlier.id, job.id, earlier.stems, with_linked=is_same_title
            )
        except FileNotFoundError:
            return False  # the earlier job has since expired, or a file is missing
        await self._files.settle(job.id)
        repeated = job.repeated(self._core.clock.now(), earlier, title=title)
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
        # The stored address expired while the bot was down, or lost its signature with an earlier
        # job's files.
        try:
            return await self._sources.renew(job)
        except RenewalUnavailable as exc:
            raise DownloadFailed("its address cannot be renewed now") from exc

    async def _decode_or_note(self, job: Job, most_frames: int) -> Decoded:
        """Decode the song, and count a refused file against its user."""
        user_id = job.request.user_id
        try:
            decoded = await self._decode(job, most_frames)
        except Rejected as exc:
            self._refused_files.note_refused(user_id, exc.problem.reason)
            raise
        self._refused_files.note_read(user_id)
        return decoded

    async def _decode(self, job: Job, most_frames: int) -> Decoded:
        where = self._files.of(job.id)
        self._core.board.put(job.id, Progress(stage=Stage.CHECKING))
        minutes = self._limits.max_duration_minutes
        decoding = self._audio.decode(
            where.input,
            where.mixture,
            max_duration_s=most_frames / SAMPLE_RATE,
            cover=where.cover,
        )
        try:
            decoded, _ = await both(decoding, self._warm_up(job))
            return decoded
        except Rejected as exc:
            if exc.problem.reason is Reason.TOO_LONG and most_frames < self._limits.max_frames:
                raise Rejected(Reason.DISK_FULL) from exc
            if exc.problem.reason is Reason.TOO_LONG and minutes >= 1:
                raise Rejected(Reason.TOO_LONG, limit_minutes=round(minutes)) from exc
            raise

    async def _warm_up(self, job: Job) -> None:
        """Let the provider that will probably get the song prepare during decoding."""
        request = job.request
        for name, provider in self._core.providers.items():
            is_asked = request.provider in (None, name)
            if is_asked and plan(request.recipe, provider.capabilities) is not None:
                if isinstance(provider, WarmsUp):
                    await provider.warm_up()
                return

    @asynccontextmanager
    async def _turn_of(self, user_id: UserId) -> AsyncIterator[None]:
        # The dictionary is weak: a lock lasts as long as someone holds it or waits for it.
        lock = self._users.setdefault(user_id, asyncio.Lock())
        async with lock:
            yield


def _title_again(job: Job, earlier: Job) -> str:
    """Return the title for a repeat: the earlier title if it came from tags, else the new file's
    name.
    """
    if earlier.title == title_of(earlier.request.source.filename):
        return title_of(job.request.source.filename)
    return earlier.title


def _has(spool: Path, frames: int) -> bool:
    return spool.exists() and spool.stat().st_size == frames * FRAME_BYTES


def _try_again(runtime: JobRuntime, error: DownloadFailed) -> RetryAfter:
    runtime.failed_downloads += 1
    if runtime.failed_downloads == MAX_DOWNLOADS:
        raise Rejected(Reason.DOWNLOAD_FAILED) from error
    log.warning("%s: download failed: %s", runtime.job_id, error)
    return RetryAfter(after_s=backoff_s(runtime.failed_downloads, key=runtime.job_id))
