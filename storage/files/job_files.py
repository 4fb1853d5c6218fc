"""The jobs' audio files, in one directory per job. Nothing is decoded here."""

import asyncio
import errno
import hashlib
import itertools
import os
import re
import shutil
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bot.domain.job import JobId
from bot.domain.recipes import Stem
from storage.files.atomic import fsync, write_aside

_JOB_ID = re.compile(r"[a-z0-9]{1,32}")
_REMOVALS = 100
SEVERAL_SONGS = "songs-"
"""The prefix of names of linked files with several songs."""
_NO_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS})
"""Errors of file systems without hard links."""


@dataclass(frozen=True, slots=True)
class JobDir:
    """The paths of a job's files."""

    path: Path

    @property
    def input(self) -> Path:
        """Return the path of the user's downloaded file."""
        return self.path / "input"

    @property
    def mixture(self) -> Path:
        """Return the path of the decoded song: interleaved stereo float32 at 44.1 kHz."""
        return self.path / "mixture.f32"

    @property
    def cover(self) -> Path:
        """Return the path of the song's picture, which is kept with the masters."""
        return self.path / "cover.jpg"

    @property
    def work(self) -> Path:
        """Return the directory of the intermediate files between mixture and masters."""
        return self.path / "work"

    @property
    def masters(self) -> Path:
        """Return the directory of the finished stems, kept until the job's files expire."""
        return self.path / "masters"

    @property
    def parcel(self) -> Path:
        """Return the directory of the files encoded for delivery."""
        return self.path / "parcel"

    @property
    def linked(self) -> Path:
        """Return the directory of files encoded for links, kept until the job's files expire."""
        return self.path / "linked"

    @property
    def packs(self) -> Path:
        """Return the directory of what the mixer page plays, kept until the job's files expire."""
        return self.path / "packs"

    def master(self, stem: Stem) -> Path:
        """Return the path of a finished stem."""
        return self.masters / f"{stem}.flac"


class StoredFile(Protocol):
    """A job's file that is not on this disk."""

    @property
    def size_bytes(self) -> int:
        """The size of the whole file."""
        ...

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` up to `end`. Raises StoreUnavailable and ObjectMissing."""
        ...


class JobFiles:
    """Creates, measures and removes jobs' directories.

    Files are on this disk only. A subclass also keeps them elsewhere
    (`storage/objects/shared_job_files.py`).
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def is_shared(self) -> bool:
        """Whether files may be elsewhere and not on this disk."""
        return False

    def of(self, job_id: JobId) -> JobDir:
        """Return the job's paths. Raises ValueError for an id that could escape the root."""
        if not _JOB_ID.fullmatch(job_id):
            raise ValueError(f"not a job id: {job_id!r}")
        return JobDir(self._root / job_id)

    async def prepare(self, job_id: JobId) -> JobDir:
        """Create the job's missing directories."""
        where = self.of(job_id)
        await asyncio.to_thread(_make, where)
        return where

    async def drop_work(self, job_id: JobId) -> None:
        """Remove the song and all intermediate files, but no masters or encoded files."""
        await asyncio.to_thread(_remove_work, self.of(job_id))

    async def drop_parcel(self, job_id: JobId) -> None:
        """Remove what was encoded for delivery; it can be made again from the masters.

        Scratch folders stay: a redelivery may already be using one.
        """
        await asyncio.to_thread(_remove_files, self.of(job_id).parcel)

    async def drop_interrupted(
        self, job_ids: Iterable[JobId], *, unfinished: Collection[JobId]
    ) -> None:
        """Remove an earlier process's unfinished work on these jobs: encoded files and partial
        packs.

        Only call this at start. Files that unfinished jobs encoded for their delivery stay.
        """
        folders = [(self.of(job_id), job_id in unfinished) for job_id in job_ids]
        await asyncio.to_thread(_drop_interrupted, folders)

    async def drop_old_renditions(self, job_id: JobId, *, keep: int) -> Sequence[Path]:
        """Remove the linked files of all but the newest `keep` renditions; return their paths."""
        return await asyncio.to_thread(_drop_old_renditions, self.of(job_id).linked, keep)

    async def drop_linked_songs(self, job_ids: Iterable[JobId]) -> None:
        """Remove the files that hold several songs from these jobs' linked files."""
        folders = [self.of(job_id).linked for job_id in job_ids]
        await asyncio.to_thread(_drop_linked_songs, folders)

    @asynccontextmanager
    async def scratch(self, job_id: JobId, name: str) -> AsyncIterator[Path]:
        """Yield a folder for another set of encoded files, and remove it afterwards.

        Raises FileNotFoundError when the job's files are gone.
        """
        parcel = self.of(job_id).parcel
        folder = parcel / name
        making = asyncio.create_task(asyncio.to_thread(_make_in, parcel, folder))
        try:
            await asyncio.shield(making)
            yield folder
        finally:
            # If the caller is cancelled, the folder may yet be made.
            await asyncio.gather(making, return_exceptions=True)
            await asyncio.to_thread(_remove, folder)

    async def packs_folder(self, job_id: JobId) -> Path:
        """Create the job's directory of packs and return it.

        Raises FileNotFoundError when the job's files are gone.
        """
        packs = self.of(job_id).packs
        await asyncio.to_thread(_make_in, packs)
        return packs

    async def keep_input(self, job_id: JobId) -> None:
        """Keep the user's file where another machine can continue with it. Safe to repeat."""

    async def keep_linked(self, job_id: JobId) -> None:
        """Keep what is encoded for links where any machine can serve it. Safe to repeat."""

    async def bring_input(self, job_id: JobId) -> None:
        """Ensure that the user's file is on this disk. Raises FileNotFoundError when it is gone."""
        await asyncio.to_thread(self.of(job_id).input.stat)

    async def bring(self, job_id: JobId, stems: Iterable[Stem]) -> None:
        """Ensure that the job's masters and the song's picture are on this disk.

        Raises FileNotFoundError when a master is gone.
        """

    async def bytes_elsewhere(self, job_id: JobId, stems: Iterable[Stem]) -> int:
        """Return how many bytes `bring` would write."""
        return 0

    async def find_elsewhere(self, path: Path) -> StoredFile | None:
        """Return a job's file that is not on this disk, or None if it is nowhere."""
        return None

    async def make_room(self, size_bytes: int, *, in_use: Collection[JobId]) -> bool:
        """Drop local copies of files until about `size_bytes` are free; return whether any were
        dropped.

        Jobs in `in_use` keep theirs.
        """
        return False

    async def has_input(self, job_id: JobId) -> bool:
        """Return whether the user's file is kept."""
        return await asyncio.to_thread(self.of(job_id).input.exists)

    async def linked_names(self, job_id: JobId) -> frozenset[str]:
        """Return the names of the files that are encoded for links."""
        return await asyncio.to_thread(_names_in, self.of(job_id).linked)

    async def digest(self, job_id: JobId) -> str:
        """Return the SHA-256 of the user's file, in hex."""
        return await asyncio.to_thread(_digest, self.of(job_id).input)

    async def take_over(
        self, earlier: JobId, job_id: JobId, stems: Iterable[Stem], *, with_linked: bool
    ) -> None:
        """Link or copy an earlier job's masters and its song's picture to another job.

        With `with_linked`, include what it has encoded for links, which names the song.

        Raises FileNotFoundError when a master is missing.
        """
        theirs, own = self.of(earlier), self.of(job_id)
        masters = [(theirs.master(stem), own.master(stem)) for stem in stems]
        await asyncio.to_thread(_share, masters)
        await asyncio.to_thread(_share_cover, theirs.cover, own.cover)
        if with_linked:
            await asyncio.to_thread(_share_linked, theirs.linked, own.linked)

    async def settle(self, job_id: JobId) -> None:
        """Sync the job's masters to disk."""
        await asyncio.to_thread(_sync_all, self.of(job_id).masters)

    async def holds(self, job_id: JobId, stems: Iterable[Stem]) -> bool:
        """Return whether the job has all of these masters."""
        masters = [self.of(job_id).master(stem) for stem in stems]
        return await asyncio.to_thread(_are_there, masters)

    async def remove(self, job_id: JobId) -> None:
        """Remove all of the job's files, if there are any."""
        await self.remove_here(job_id)

    async def remove_here(self, job_id: JobId) -> None:
        """Remove all of the job's files on this disk, if there are any."""
        await asyncio.to_thread(_remove, self.of(job_id).path)

    async def used_bytes(self) -> int:
        """Return the bytes used by all jobs' files, counting each hard-linked file once."""
        return sum((await self.sizes()).values())

    async def sizes(self, *, owned_last: Collection[JobId] = ()) -> dict[JobId, int]:
        """Return the bytes used by each job's files.

        A hard-linked file counts for one job only, and for a job in `owned_last` only if no other
        job has it.
        """
        return await asyncio.to_thread(_sizes, self._root, frozenset(owned_last))

    async def free_bytes(self) -> int:
        """Return the free space on the jobs' disk."""
        return (await asyncio.to_thread(shutil.disk_usage, self._root)).free

    async def changed_at(self, job_id: JobId) -> datetime | None:
        """Return when the job's directory last gained a file, or None if there is no directory."""
        return await asyncio.to_thread(_changed_at, self.of(job_id).path)

    async def orphans(self, known_ids: Collection[JobId]) -> list[JobId]:
        """Return the ids of directories whose jobs are not in `known_ids`.

        Only call this at start: a job stored after `known_ids` was read would look like an orphan.
        """
        return sorted(await self.local_ids() - frozenset(known_ids))

    async def local_ids(self) -> frozenset[JobId]:
        """Return the ids of all directories."""
        return frozenset(await asyncio.to_thread(_job_ids, self._root))


def _drop_old_renditions(linked: Path, keep: int) -> list[Path]:
    by_token: dict[str, list[Path]] = {}
    for path in linked.iterdir():
        _, _, token = path.name.removesuffix(path.suffix).partition(".")
        if token:
            by_token.setdefault(token, []).append(path)
    newest_first = sorted(
        by_token.values(), key=lambda files: max(_changed(each) for each in files), reverse=True
    )
    dropped = list(itertools.chain.from_iterable(newest_first[keep:]))
    for path in dropped:
        path.unlink(missing_ok=True)
    return dropped


def _drop_linked_songs(folders: Iterable[Path]) -> None:
    for folder in folders:
        for path in folder.glob(f"{SEVERAL_SONGS}*"):
            path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _make(where: JobDir) -> None:
    for path in (where.path, where.work, where.masters, where.parcel, where.linked):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _make_in(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError as exc:
            # The directory vanished after it was listed: the job is being removed.
            raise FileNotFoundError(folder) from exc


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _share(files: Iterable[tuple[Path, Path]]) -> None:
    for path, target in files:
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(path)
        except OSError as exc:
            if exc.errno not in _NO_LINKS:
                raise
            with write_aside(target, durable=False) as draft:  # `settle` syncs it
                shutil.copyfile(path, draft)


def _share_cover(theirs: Path, own: Path) -> None:
    with suppress(FileNotFoundError):
        _share([(theirs, own)])


def _share_linked(theirs: Path, own: Path) -> None:
    """Share the existing encoded files. Missing ones can be encoded again."""
    try:
        own_alone = [each for each in theirs.iterdir() if not each.name.startswith(SEVERAL_SONGS)]
        _share([(path, own / path.name) for path in own_alone])
    except FileNotFoundError:
        return


def _sync_all(folder: Path) -> None:
    """Sync a folder's files to disk, and the folder itself, which holds their names."""
    for path in (*folder.iterdir(), folder):
        fsync(path)


def _are_there(files: Iterable[Path]) -> bool:
    return all(file.exists() and file.stat().st_size for file in files)


def _remove_work(where: JobDir) -> None:
    _remove(where.work)
    # Besides the song and its spool, a crash may have left drafts of them.
    _remove_files(where.path, but=where.cover)


def _drop_interrupted(folders: Iterable[tuple[JobDir, bool]]) -> None:
    for where, is_unfinished in folders:
        for each in _within(where.parcel):
            if each.is_dir():
                _remove(each)
            elif not is_unfinished:
                each.unlink(missing_ok=True)
        for each in _within(where.packs):
            if each.suffix == ".part":
                each.unlink(missing_ok=True)


def _names_in(folder: Path) -> frozenset[str]:
    return frozenset(each.name for each in _within(folder))


def _within(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_files(folder: Path, *, but: Path | None = None) -> None:
    """Remove all files but one from a folder, if it exists; leave its subfolders."""
    try:
        found = list(folder.iterdir())
    except FileNotFoundError:
        return
    for file in found:
        if file != but and not file.is_dir():
            file.unlink(missing_ok=True)


def _remove(directory: Path) -> None:
    for tries_left in reversed(range(_REMOVALS)):
        try:
            shutil.rmtree(directory)
        except FileNotFoundError:
            if not directory.exists():
                return
        except OSError as exc:
            # A redelivery added a file in the meantime. It stops once its folder is gone.
            if exc.errno != errno.ENOTEMPTY or not tries_left:
                raise


def _sizes(root: Path, owned_last: frozenset[JobId]) -> dict[JobId, int]:
    folders = sorted(_subfolders(root), key=lambda path: (path.name in owned_last, path.name))
    seen: set[tuple[int, int]] = set()
    return {JobId(folder.name): _size_bytes(folder, seen) for folder in folders}


def _subfolders(root: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(root) if entry.is_dir()]
    except FileNotFoundError:
        return []


def _size_bytes(folder: Path, seen: set[tuple[int, int]]) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            total += _file_bytes(Path(path, name), seen)
    return total


def _file_bytes(path: Path, seen: set[tuple[int, int]]) -> int:
    """Return a file's size, or 0 for a hard link that is already in `seen`, adding new ones."""
    try:
        status = path.lstat()
    except FileNotFoundError:  # removed since it was listed
        return 0
    if status.st_nlink > 1:
        inode = (status.st_dev, status.st_ino)
        if inode in seen:
            return 0
        seen.add(inode)
    return status.st_size


def _changed_at(directory: Path) -> datetime | None:
    times = [path.stat().st_mtime for path in (directory, *directory.rglob("*")) if path.exists()]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _job_ids(root: Path) -> list[JobId]:
    if not root.exists():
        return []
    names = sorted(path.name for path in root.iterdir() if path.is_dir())
    return [JobId(name) for name in names if _JOB_ID.fullmatch(name)]
