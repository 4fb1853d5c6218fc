"""Jobs' audio on disk: one directory per job, under one root. No audio is decoded here."""

import asyncio
import errno
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.domain.job import JobId
from bot.domain.recipes import Stem
from storage.files.atomic import fsync, write_aside

_JOB_ID = re.compile(r"[a-z0-9]{1,32}")
_REMOVALS = 100
_NO_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS})
"""Errors of file systems on which a file cannot have a second name."""


@dataclass(frozen=True, slots=True)
class JobDir:
    """The paths of a job's files."""

    path: Path

    @property
    def input(self) -> Path:
        """Return the path of the user's file as it was downloaded."""
        return self.path / "input"

    @property
    def mixture(self) -> Path:
        """Return the path of the decoded song: interleaved stereo float32 at 44.1 kHz."""
        return self.path / "mixture.f32"

    @property
    def work(self) -> Path:
        """Return the directory of everything between the mixture and the masters."""
        return self.path / "work"

    @property
    def masters(self) -> Path:
        """Return the directory of the finished stems, which are kept until retention."""
        return self.path / "masters"

    @property
    def parcel(self) -> Path:
        """Return the directory of what is encoded for delivery."""
        return self.path / "parcel"

    @property
    def linked(self) -> Path:
        """Return the directory of what is encoded for links, which is kept until retention."""
        return self.path / "linked"

    @property
    def packs(self) -> Path:
        """Return the directory of what the mixer page streams, which is kept until retention."""
        return self.path / "packs"

    def master(self, stem: Stem) -> Path:
        """Return the path of a finished stem."""
        return self.masters / f"{stem}.flac"


class JobFiles:
    """Creates, measures and removes jobs' directories."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, job_id: JobId) -> JobDir:
        """Return the job's paths; ValueError for an id that could lead out of the root."""
        if not _JOB_ID.fullmatch(job_id):
            raise ValueError(f"not a job id: {job_id!r}")
        return JobDir(self._root / job_id)

    async def prepare(self, job_id: JobId) -> JobDir:
        """Create those of the job's directories that do not exist."""
        where = self.of(job_id)
        await asyncio.to_thread(_make, where)
        return where

    async def drop_work(self, job_id: JobId) -> None:
        """Remove the song and all intermediate files. Masters and encoded files stay."""
        await asyncio.to_thread(_remove_work, self.of(job_id))

    async def drop_parcel(self, job_id: JobId) -> None:
        """Remove what was encoded for delivery; it can be made again from the masters."""
        await asyncio.to_thread(_remove, self.of(job_id).parcel)

    @asynccontextmanager
    async def scratch(self, job_id: JobId, name: str) -> AsyncIterator[Path]:
        """Lend a folder for another set of encoded files, and remove it afterwards.

        Raises FileNotFoundError when the job's files are gone.
        """
        parcel = self.of(job_id).parcel
        folder = parcel / name
        await asyncio.to_thread(_make_in, parcel, folder)
        try:
            yield folder
        finally:
            await asyncio.to_thread(_remove, folder)

    async def packs_folder(self, job_id: JobId) -> Path:
        """Create the job's directory of packs and return it.

        Raises FileNotFoundError when the job's files are gone.
        """
        packs = self.of(job_id).packs
        await asyncio.to_thread(_make_in, packs)
        return packs

    async def digest(self, job_id: JobId) -> str:
        """Return the SHA-256 of the user's file, in hex."""
        return await asyncio.to_thread(_digest, self.of(job_id).input)

    async def take_over(self, earlier: JobId, job_id: JobId, stems: Iterable[Stem]) -> None:
        """Link or copy an earlier job's masters, and what it has encoded for links, to another.

        Raises FileNotFoundError when a master is missing.
        """
        theirs, own = self.of(earlier), self.of(job_id)
        masters = [(theirs.master(stem), own.master(stem)) for stem in stems]
        await asyncio.to_thread(_share, masters)
        await asyncio.to_thread(_share_linked, theirs.linked, own.linked)

    async def settle(self, job_id: JobId) -> None:
        """Sync the job's masters to disk."""
        await asyncio.to_thread(_sync_all, self.of(job_id).masters)

    async def holds(self, job_id: JobId, stems: Iterable[Stem]) -> bool:
        """Whether the job has all of these masters."""
        masters = [self.of(job_id).master(stem) for stem in stems]
        return await asyncio.to_thread(_are_there, masters)

    async def remove(self, job_id: JobId) -> None:
        """Remove all of the job's files. Does nothing if there are none."""
        await asyncio.to_thread(_remove, self.of(job_id).path)

    async def used_bytes(self) -> int:
        """Return what all files of all jobs fill; one with several names counts once."""
        return sum((await self.sizes()).values())

    async def sizes(self, *, owned_last: Collection[JobId] = ()) -> dict[JobId, int]:
        """Return what each job's files fill, in bytes.

        A file with several hard links counts for one job only, and for a job in `owned_last` only
        if no other job has it.
        """
        return await asyncio.to_thread(_sizes, self._root, frozenset(owned_last))

    async def free_bytes(self) -> int:
        """Return the free space on the jobs' disk."""
        return (await asyncio.to_thread(shutil.disk_usage, self._root)).free

    async def changed_at(self, job_id: JobId) -> datetime | None:
        """Return when a file was last added to the job's directory; None if there is none."""
        return await asyncio.to_thread(_changed_at, self.of(job_id).path)

    async def orphans(self, known_ids: Collection[JobId]) -> list[JobId]:
        """Return ids that have a directory here and are not in `known_ids`.

        Use it at start only: later, a job stored after `known_ids` was read looks like an orphan.
        """
        there = await asyncio.to_thread(_job_ids, self._root)
        return [job_id for job_id in there if job_id not in known_ids]


def _make(where: JobDir) -> None:
    for path in (where.path, where.work, where.masters, where.parcel, where.linked):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _make_in(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError as exc:
            # It vanished between two looks: the job is being removed.
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
            with write_aside(target, durable=False) as draft:  # `settle` waits for the disk
                shutil.copyfile(path, draft)


def _share_linked(theirs: Path, own: Path) -> None:
    """Share what can be encoded again, as far as it is there."""
    try:
        _share([(path, own / path.name) for path in theirs.iterdir()])
    except FileNotFoundError:
        return


def _sync_all(folder: Path) -> None:
    """Sync a folder and its files to disk; a new name belongs to the folder."""
    for path in (*folder.iterdir(), folder):
        fsync(path)


def _are_there(files: Iterable[Path]) -> bool:
    return all(file.exists() and file.stat().st_size for file in files)


def _remove_work(where: JobDir) -> None:
    _remove(where.work)
    # Besides the song and its spool, a crash may have left drafts of them.
    if where.path.exists():
        for file in where.path.iterdir():
            if not file.is_dir():
                file.unlink(missing_ok=True)


def _remove(directory: Path) -> None:
    for tries_left in reversed(range(_REMOVALS)):
        try:
            shutil.rmtree(directory)
        except FileNotFoundError:
            if not directory.exists():
                return
        except OSError as exc:
            # Meanwhile a redelivery added a file; it ends once its folder is gone.
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
    """Return a file's size; 0 for one that is among `seen`, to which it is added."""
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
