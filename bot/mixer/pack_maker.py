"""Makes a job's packs in the background after the first request for one, and finds them."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bot.accounts.disk_guard import DiskGuard
from bot.audio.pack_tasks import PACK_S, PEAKS, PackCodec, pack_count, pack_name
from bot.audio.tools import AudioTools
from bot.delivery.redelivery import bring_masters
from bot.domain.clock import Clock
from bot.domain.errors import AudioFailed, NoRoom
from bot.domain.job import Job, JobId
from storage.files.job_files import JobFiles

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.02
PAUSE_S: Final = 30.0
"""The time after a failure during which packs are not made again."""
_OPUS_BYTES: Final = 2 * PACK_S * 96_000 // 8
"""The most bytes of one stem in a pack: twice the average."""
_FLAC_FACTOR: Final = 1.5
"""The most by which a master's chunks may exceed the master."""

_KEPT_PEAKS: Final = 100
"""The number of songs whose peaks, 5 kB each, are kept, so that a reload starts no child."""

_Key = tuple[JobId, PackCodec]


class PackingFailed(Exception):
    """Packs could not be made. A request after `retry_after_s` tries again."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("packs could not be made")
        self.retry_after_s = retry_after_s


class PackMaker:
    """Makes each set of packs once, and only while there is room on the disk."""

    def __init__(
        self, *, audio: AudioTools, files: JobFiles, disk_guard: DiskGuard, clock: Clock
    ) -> None:
        self._audio = audio
        self._files = files
        self._disk_guard = disk_guard
        self._clock = clock
        self._making: dict[_Key, asyncio.Task[None]] = {}
        self._failed_at: dict[_Key, float] = {}
        self._peaks: OrderedDict[JobId, tuple[str, ...]] = OrderedDict()
        self._measuring = asyncio.Lock()

    @property
    def is_making(self) -> bool:
        """Whether any packs are being made."""
        return bool(self._making)

    async def peaks(self, job: Job) -> tuple[str, ...]:
        """Return each stem's peaks, which the page draws.

        Raises AudioFailed, NoRoom or StoreUnavailable, and FileNotFoundError when the stems are
        gone.
        """
        await bring_masters(job, self._files, self._disk_guard)
        masters = self._masters(job)
        await asyncio.to_thread(_require, masters)
        if (known := self._peaks.get(job.id)) is not None:
            return known
        # One at a time, so that many listeners do not hold up other audio work.
        async with self._measuring:
            if (known := self._peaks.get(job.id)) is not None:
                return known
            peaks = self._peaks[job.id] = await self._audio.peaks(masters, slices=PEAKS)
            if len(self._peaks) > _KEPT_PEAKS:
                self._peaks.popitem(last=False)
            return peaks

    async def pack(
        self, job: Job, number: int, codec: PackCodec, *, within_s: float
    ) -> Path | None:
        """Return a pack's file, or None if it is still being made after `within_s`.

        `number` must be that of one of the song's packs. Raises PackingFailed, NoRoom or
        StoreUnavailable, and FileNotFoundError when the stems are gone.
        """
        file = self._files.of(job.id).packs / pack_name(number, codec)
        # Looked up first, because the task may end while the file is looked for.
        making = self._making.get((job.id, codec))
        if await asyncio.to_thread(file.exists):
            return file
        making = making or await self._begun(job, codec)
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while not making.done() and loop.time() < until:
            await asyncio.sleep(LOOK_EVERY_S)
            if await asyncio.to_thread(file.exists):
                return file
        if not making.done():
            return None
        if not await asyncio.to_thread(file.exists):
            self._require_no_failure((job.id, codec))
            return None
        return file

    async def aclose(self) -> None:
        """Stop making packs; complete packs stay."""
        making = list(self._making.values())
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    async def _begun(self, job: Job, codec: PackCodec) -> asyncio.Task[None]:
        """Return the task that makes these packs; start it if it is not running."""
        key = (job.id, codec)
        self._require_no_failure(key)
        await bring_masters(job, self._files, self._disk_guard)
        await asyncio.to_thread(_require, self._masters(job))
        if (running := self._making.get(key)) is not None:
            return running
        task = asyncio.create_task(self._make(job, codec), name=f"packs of {job.id}")
        self._making[key] = task
        task.add_done_callback(lambda _: self._making.pop(key, None))
        return task

    async def _make(self, job: Job, codec: PackCodec) -> None:
        masters = self._masters(job)
        try:
            size_bytes = await asyncio.to_thread(_needed_bytes, job, masters, codec)
            async with self._disk_guard.lend(size_bytes):
                into = await self._files.packs_folder(job.id)
                await self._audio.pack(masters, into, codec=codec, frames=job.frames or 0)
        except (AudioFailed, NoRoom, OSError) as exc:
            if not await self._files.holds(job.id, job.stems):
                log.info("%s: its stems were deleted while packs were being made", job.id)
                return
            log.warning("%s: packs could not be made: %s", job.id, exc, extra={"job": job.id})
            self._failed_at[job.id, codec] = self._clock.monotonic()
        else:
            log.info("%s: %s packs were made", job.id, codec, extra={"job": job.id})

    def _require_no_failure(self, key: _Key) -> None:
        """Raise PackingFailed if making these packs failed less than PAUSE_S ago."""
        now = self._clock.monotonic()
        self._failed_at = {each: at for each, at in self._failed_at.items() if now - at < PAUSE_S}
        if key in self._failed_at:
            raise PackingFailed(PAUSE_S - (now - self._failed_at[key]))

    def _masters(self, job: Job) -> list[Path]:
        where = self._files.of(job.id)
        return [where.master(stem) for stem in job.stems]


def _require(masters: Sequence[Path]) -> None:
    for path in masters:
        path.stat()


def _needed_bytes(job: Job, masters: Sequence[Path], codec: PackCodec) -> int:
    """Return the most bytes that a job's packs may need."""
    match codec:
        case PackCodec.OPUS:
            return _OPUS_BYTES * len(masters) * pack_count(job.frames or 0)
        case PackCodec.FLAC:
            return int(_FLAC_FACTOR * sum(path.stat().st_size for path in masters))
