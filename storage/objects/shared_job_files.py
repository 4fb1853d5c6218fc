"""Job files that are also kept in an object store, so that another machine can continue."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from bot.concurrency import gather_or_raise
from bot.domain.errors import ObjectMissing, StoreUnavailable
from bot.domain.job import JobId
from bot.domain.recipes import Stem
from storage.files.job_files import SEVERAL_SONGS, JobDir, JobFiles, StoredFile
from storage.objects.object_store import ObjectStore

log = logging.getLogger(__name__)

TRANSFERS: Final = 3
"""Files that are sent or fetched at a time. Each takes up to 30 MiB of memory."""
UNUSED_S: Final = 600.0
"""A local copy that was used more recently is not dropped."""
FULL_S: Final = 30.0
"""The pause before the next search for copies to drop, if none could be dropped."""
_JOBS: Final = "jobs"


@dataclass(frozen=True, slots=True)
class _Object:
    """A job's file in the store."""

    store: ObjectStore
    key: str
    size_bytes: int

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        return self.store.parts(self.key, start, end)


async def stored_paths(store: ObjectStore) -> frozenset[str]:
    """Return the paths of all objects of jobs, below the jobs' directory."""
    await store.check()
    keys = await store.keys_under(_JOBS)
    return frozenset(key.removeprefix(f"{_JOBS}/") for key in keys)


class SharedJobFiles(JobFiles):
    """Also keeps the user's file, the masters and the linked files in the store.

    Everything else can be made from them again, and stays on this disk only. The key of an object
    is the path of the job's file. The `bring` methods fetch what is needed but not on this disk.
    All methods raise StoreUnavailable if they need the store and it is unavailable.
    """

    def __init__(self, root: Path, store: ObjectStore, *, owner: str) -> None:
        """`owner` is the database's random text, which marks the store as belonging to it."""
        super().__init__(root)
        self._store = store
        self._owner = owner
        self._is_claimed = False
        self._transfers = asyncio.Semaphore(TRANSFERS)
        self._locks: WeakValueDictionary[JobId, asyncio.Lock] = WeakValueDictionary()
        self._used_at: dict[JobId, float] = {}
        """When this process last needed a job's masters."""
        self._trusted: set[JobId] = set()
        """Jobs whose masters on this disk are the same as those in the store."""
        self._full_at = -FULL_S
        """When a search last found no copy to drop."""

    @property
    def is_shared(self) -> bool:
        """Files may be in the store only."""
        return True

    async def claim_store(self) -> None:
        """Mark the store, or renew the mark, so that no lifecycle rule removes it.

        If this process has seen the mark and it is gone, it is not written again, because the store
        is probably unavailable. Raises ForeignObjectStore.
        """
        if self._is_claimed:
            await self._store.check()
        await self._store.prepare(self._owner)
        self._is_claimed = True

    async def stored_ids(self) -> frozenset[JobId]:
        """Return the ids of all jobs with objects."""
        return frozenset(map(JobId, await self._store.folders_under(_JOBS)))

    def used_ids(self) -> frozenset[JobId]:
        """Return the ids of jobs whose masters this process has needed, and may have fetched."""
        return frozenset(self._used_at)

    async def keep_input(self, job_id: JobId) -> None:
        """Put the user's file into the store, unless it is already there."""
        path = self.of(job_id).input
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
        if await self._store.size(self._key(path)) != size_bytes:
            await self._put([path])

    async def keep_linked(self, job_id: JobId) -> None:
        """Put the linked files that the store lacks into it; equal names have equal content."""
        linked = self.of(job_id).linked
        there = await self._linked_there(job_id)
        here = await super().linked_names(job_id)
        await self._put(linked / name for name in sorted(here - there))

    async def settle(self, job_id: JobId) -> None:
        """Sync the masters to disk, and put them and the picture into the store."""
        await super().settle(job_id)
        await self._put(await asyncio.to_thread(_masters_and_cover, self.of(job_id)))
        self._trusted.add(job_id)

    async def take_over(
        self, earlier: JobId, job_id: JobId, stems: Iterable[Stem], *, with_linked: bool
    ) -> None:
        """Share an earlier job's files with another job, fetching them first if necessary."""
        stems = tuple(stems)
        await self.bring(earlier, stems)
        await super().take_over(earlier, job_id, stems, with_linked=with_linked)

    async def bring_input(self, job_id: JobId) -> None:
        """Fetch the user's file, unless it is on this disk."""
        path = self.of(job_id).input
        async with self._one_at_a_time(job_id):
            if not await asyncio.to_thread(path.exists):
                await self._get(path)

    async def bring(self, job_id: JobId, stems: Iterable[Stem]) -> None:
        """Fetch the masters that are not on this disk, and the picture with them."""
        where = self.of(job_id)
        async with self._one_at_a_time(job_id):
            self._used_at[job_id] = time.monotonic()
            missing = await self._missing(job_id, stems)
            if not missing:
                return
            for path in missing:  # before a folder is created for them
                if await self._store.size(self._key(path)) is None:
                    raise FileNotFoundError(path)
            await self.prepare(job_id)
            await gather_or_raise(self._get(path) for path in missing)
            if await self._store.size(self._key(where.cover)) is not None:
                await self._get(where.cover)
            self._trusted.add(job_id)
        log.info("%s: %d stems are fetched from the object store", job_id, len(missing))

    async def bytes_elsewhere(self, job_id: JobId, stems: Iterable[Stem]) -> int:
        """Return the size of the masters that are not on this disk."""
        sizes = [
            await self._store.size(self._key(path)) for path in await self._missing(job_id, stems)
        ]
        return sum(size or 0 for size in sizes)

    async def find_elsewhere(self, path: Path) -> StoredFile | None:
        """Look for a file's object."""
        key = self._key(path)
        size_bytes = await self._store.size(key)
        return None if size_bytes is None else _Object(self._store, key, size_bytes)

    async def holds(self, job_id: JobId, stems: Iterable[Stem]) -> bool:
        """Return whether each of these masters is on this disk or in the store."""
        for path in await self._missing(job_id, stems):
            if not await self._store.size(self._key(path)):
                return False
        return True

    async def has_input(self, job_id: JobId) -> bool:
        """Return whether the user's file is on this disk or in the store."""
        if await super().has_input(job_id):
            return True
        return await self._store.size(self._key(self.of(job_id).input)) is not None

    async def linked_names(self, job_id: JobId) -> frozenset[str]:
        """Return the names of the linked files on this disk and in the store."""
        return await super().linked_names(job_id) | await self._linked_there(job_id)

    async def drop_work(self, job_id: JobId) -> None:
        """Remove the song and all intermediate files from this disk and the store."""
        await super().drop_work(job_id)
        try:
            await self._store.remove(self._key(self.of(job_id).input))
        except StoreUnavailable as exc:
            log.warning("%s: its song stays with its stems: %s", job_id, exc)

    async def drop_old_renditions(self, job_id: JobId, *, keep: int) -> Sequence[Path]:
        """Remove the files of older renditions from this disk and the store."""
        dropped = await super().drop_old_renditions(job_id, keep=keep)
        try:
            for path in dropped:
                await self._store.remove(self._key(path))
        except StoreUnavailable as exc:
            log.warning("%s: older renditions stay with its stems: %s", job_id, exc)
        return dropped

    async def drop_linked_songs(self, job_ids: Iterable[JobId]) -> None:
        """Remove the files that hold several songs from this disk and the store."""
        job_ids = tuple(job_ids)
        await super().drop_linked_songs(job_ids)
        for job_id in job_ids:
            for name in await self._linked_there(job_id):
                if name.startswith(SEVERAL_SONGS):
                    await self._store.remove(self._key(self.of(job_id).linked / name))

    async def remove(self, job_id: JobId) -> None:
        """Remove all of the job's files from this disk and the store."""
        async with self._one_at_a_time(job_id):
            await self.remove_here(job_id)
            await self._store.remove_under(f"{_JOBS}/{job_id}")

    async def remove_here(self, job_id: JobId) -> None:
        """Remove all of the job's files from this disk."""
        await super().remove_here(job_id)
        self._trusted.discard(job_id)
        self._used_at.pop(job_id, None)

    async def make_room(self, size_bytes: int, *, in_use: Collection[JobId]) -> bool:
        """Drop the least recently used copies; if none can be dropped, pause for FULL_S."""
        if time.monotonic() - self._full_at < FULL_S:
            return False
        freed = 0
        for folder in await asyncio.to_thread(_oldest_first, self._root):
            job_id = JobId(folder.name)
            if freed >= size_bytes:
                break
            if job_id not in in_use:
                freed += await self._drop_if_stored(job_id)
        if not freed:
            self._full_at = time.monotonic()
        return freed > 0

    async def put_copy(self, path: Path, key: str) -> None:
        """Put a file of a job under another key, by a copy within the store if it is there."""
        if path.is_relative_to(self._root):
            own, size_bytes = self._key(path), (await asyncio.to_thread(path.stat)).st_size
            # A shared folder on a file system without hard links makes no copies.
            with suppress(ObjectMissing, StoreUnavailable):
                if await self._store.size(own) == size_bytes:
                    await self._store.copy(own, key)
                    return
        async with self._transfers:
            await self._store.put(path, key)

    async def _drop_if_stored(self, job_id: JobId) -> int:
        """Drop a job's copies if all of them are in the store; return their size in bytes."""
        if time.monotonic() - self._used_at.get(job_id, -UNUSED_S) < UNUSED_S:
            return 0
        async with self._one_at_a_time(job_id):
            where = self.of(job_id)
            here = await asyncio.to_thread(_sizes_but_packs, where)
            try:
                for path, size_bytes in here.items():
                    if await self._store.size(self._key(path)) != size_bytes:
                        return 0
            except StoreUnavailable as exc:
                log.warning("no copies are dropped to make room: %s", exc)
                return 0
            await self.remove_here(job_id)
        log.info("%s: its copies are dropped, since the disk is full", job_id)
        return sum(here.values())

    async def _missing(self, job_id: JobId, stems: Iterable[Stem]) -> list[Path]:
        """Return the masters that are not on this disk, or that differ from those in the store.

        An earlier process may have left incomplete masters on this disk before another bot made the
        job's.
        """
        masters = [self.of(job_id).master(stem) for stem in stems]
        missing = await asyncio.to_thread(_not_here, masters)
        if job_id in self._trusted:
            return missing
        for path in masters:
            if path not in missing and await self._is_another(path):
                missing.append(path)
        if not missing:
            self._trusted.add(job_id)
        return missing

    async def _is_another(self, path: Path) -> bool:
        size_bytes = await self._store.size(self._key(path))
        return size_bytes not in {None, (await asyncio.to_thread(path.stat)).st_size}

    async def _linked_there(self, job_id: JobId) -> frozenset[str]:
        keys = await self._store.keys_under(self._key(self.of(job_id).linked))
        return frozenset(key.rsplit("/", 1)[-1] for key in keys)

    async def _put(self, paths: Iterable[Path]) -> None:
        async def put(path: Path) -> None:
            async with self._transfers:
                await self._store.put(path, self._key(path))

        await gather_or_raise(put(path) for path in paths)

    async def _get(self, path: Path) -> None:
        async with self._transfers:
            try:
                await self._store.get(self._key(path), path)
            except ObjectMissing as exc:
                raise FileNotFoundError(path) from exc

    def _key(self, path: Path) -> str:
        return f"{_JOBS}/{path.relative_to(self._root).as_posix()}"

    @asynccontextmanager
    async def _one_at_a_time(self, job_id: JobId) -> AsyncIterator[None]:
        # The dictionary is weak: a lock lasts as long as someone holds it or waits for it.
        lock = self._locks.setdefault(job_id, asyncio.Lock())
        async with lock:
            yield


def _masters_and_cover(where: JobDir) -> list[Path]:
    masters = sorted(where.masters.iterdir())
    return [*masters, where.cover] if where.cover.exists() else masters


def _not_here(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if not (file.exists() and file.stat().st_size)]


def _sizes_but_packs(where: JobDir) -> dict[Path, int]:
    """Return the sizes of all files that cannot be made again from others."""
    files = (each for each in where.path.rglob("*") if each.is_file())
    return {path: path.stat().st_size for path in files if where.packs not in path.parents}


def _oldest_first(root: Path) -> list[Path]:
    folders = [each for each in root.iterdir() if each.is_dir()]
    return sorted(folders, key=lambda folder: folder.stat().st_mtime)
