"""Shows finished stems again in separate messages, without changing the job.

A redelivery exists in memory only. A restart need not resume it: it costs no minutes, and its user
sees a failure at once and can ask again.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from bot.accounts.disk_guard import DiskGuard
from bot.audio.clip_task import MOST_CLIP_BYTES
from bot.delivery.builder import DeliveryBuilder
from bot.delivery.clip_cutter import ClipCutter
from bot.delivery.port import ClipDelivery, Delivery, ZipDelivery
from bot.delivery.zip_builder import ZipBuilder, ZipPlan
from bot.domain.errors import AudioFailed, NoRoom, Reason, Rejected
from bot.domain.job import Job
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore


class Redelivery:
    """Encodes kept masters again, and deletes them on demand."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        builder: DeliveryBuilder,
        zips: ZipBuilder,
        clips: ClipCutter,
        disk_guard: DiskGuard,
        need: Callable[[Job], int],
        zip_need: Callable[[Job], int],
    ) -> None:
        """`need` returns how many bytes showing a job may write, and `zip_need` how many its share
        of a ZIP file may.
        """
        self._jobs = jobs
        self._files = files
        self._builder = builder
        self._disk_guard = disk_guard
        self._zips = zips
        self._clips = clips
        self._need = need
        self._zip_need = zip_need

    @asynccontextmanager
    async def packed(
        self, job: Job, *, name: str, limit_bytes: int, shrinks: int = 0
    ) -> AsyncIterator[Delivery]:
        """Encode a job's masters into a delivery that exists until the context exits.

        `name` must differ between concurrent redeliveries. Raises Rejected if the masters are gone
        or the disk is full, and DoesNotFit.
        """
        async with self._scratch([job], name, self._need(job)) as folder:
            delivery = await self._builder.build(
                job, self._files.of(job.id), folder, limit_bytes=limit_bytes, shrinks=shrinks
            )
            if delivery.links:
                await self._files.keep_linked(job.id)
            yield delivery

    @asynccontextmanager
    async def zipped(
        self, plan: ZipPlan, *, name: str, limit_bytes: int, shrinks: int = 0
    ) -> AsyncIterator[ZipDelivery]:
        """Put stems into one file, which exists until the context exits unless a link leads to it.

        Otherwise like `packed`.
        """
        need = sum(self._zip_need(job) for job in plan.songs)
        async with self._scratch(plan.songs, name, need) as folder:
            delivery = await self._zips.build(
                plan, folder, limit_bytes=limit_bytes, shrinks=shrinks
            )
            if delivery.url is not None:
                await self._files.keep_linked(plan.keeper.id)
            yield delivery

    @asynccontextmanager
    async def clipped(self, job: Job, *, name: str) -> AsyncIterator[ClipDelivery]:
        """Cut a clip for a soundboard, which exists until the context exits.

        Otherwise like `packed`.
        """
        async with self._scratch([job], name, MOST_CLIP_BYTES) as folder:
            yield await self._clips.cut(job, folder)

    async def discard(self, job: Job) -> None:
        """Delete a job's stems before they expire; safe to repeat.

        Raises Rejected while the job is unfinished.
        """
        if not job.state.is_final:
            raise Rejected(Reason.BUSY)
        if not job.files_expired:
            await self._files.remove(job.id)
            if job.batch_id is not None:
                # A file with all songs of the batch may be kept with another of its jobs.
                others = await self._jobs.in_batch(job.batch_id)
                await self._files.drop_linked_songs(each.id for each in others)
            await self._jobs.mark_expired(job.id)

    @asynccontextmanager
    async def _scratch(self, jobs: Sequence[Job], name: str, need: int) -> AsyncIterator[Path]:
        """Yield a folder with room for the files made from the jobs' masters."""
        if not all(job.has_stems for job in jobs):
            raise Rejected(Reason.FILES_EXPIRED)
        try:
            for job in jobs:
                await bring_masters(job, self._files, self._disk_guard)
            async with (
                self._disk_guard.lend(need),
                self._files.scratch(jobs[0].id, name) as folder,
            ):
                yield folder
        except NoRoom as exc:
            raise Rejected(Reason.DISK_FULL) from exc
        except (AudioFailed, OSError) as exc:
            if isinstance(exc, FileNotFoundError) or await self._is_any_gone(jobs):
                raise Rejected(Reason.FILES_EXPIRED) from exc
            raise

    async def _is_any_gone(self, jobs: Sequence[Job]) -> bool:
        return any([await self._is_gone(job) for job in jobs])

    async def _is_gone(self, job: Job) -> bool:
        # Files are deleted before the deletion is recorded.
        if not await self._files.holds(job.id, job.stems):
            return True
        found = await self._jobs.get(job.id)
        return found is None or found.files_expired


async def bring_masters(job: Job, files: JobFiles, disk_guard: DiskGuard) -> None:
    """Bring a finished job's masters to this disk, within the space that the disk guard lends.

    Raises NoRoom, StoreUnavailable, and FileNotFoundError when they are gone.
    """
    size_bytes = await files.bytes_elsewhere(job.id, job.stems)
    async with disk_guard.lend(size_bytes) if size_bytes else nullcontext():
        await files.bring(job.id, job.stems)
