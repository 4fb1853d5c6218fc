"""A folder that several machines have mounted."""

import asyncio
import errno
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from obstore.store import LocalStore

from bot.domain.errors import ObjectMissing, ObjectStoreUnavailable
from storage.files.atomic import fsync
from storage.objects.object_store import MARKER
from storage.objects.obstore_base import ObstoreStore

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Obstore

_NOT_SYNCED: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES})
"""Errors of a folder on a file system such as SMB, or of one that only others may list."""


class FolderStore(ObstoreStore):
    """A folder that the operator has created, on a disk that every machine has mounted."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"file://{path}")
        self._path = path

    def open(self) -> "Obstore":
        if not self._path.is_dir():  # obstore would create the folder where nothing is mounted
            raise self.missing()
        return LocalStore(self._path, automatic_cleanup=True)

    async def prepare(self, owner: str) -> None:
        """Write the marker, and sync it to disk: without it, no object would be found."""
        await super().prepare(owner)
        await self._sync(MARKER)

    async def put(self, path: Path, key: str) -> None:
        """Copy a file, and sync it to disk."""
        await self.check()
        await super().put(path, key)
        await self._sync(key)

    async def copy(self, key: str, to: str) -> None:
        """Copy an object, and sync the copy to disk."""
        await super().copy(key, to)
        await self._sync(to)

    async def remove_under(self, prefix: str) -> None:
        """Remove the folder, including files that a killed process left half-written.

        Raises ValueError for a prefix that leads elsewhere.
        """
        if not prefix or {"", ".", ".."} & {*prefix.split("/")}:
            raise ValueError(f"not a prefix: {prefix!r}")
        with self.translated():
            self.open()
            with suppress(FileNotFoundError):
                await asyncio.to_thread(shutil.rmtree, self._path / prefix)

    async def _sync(self, key: str) -> None:
        """Sync an object, and the folders above it, which may be new."""
        try:
            with self.translated():
                await asyncio.to_thread(_sync, self._path, self._path / key)
        except ObjectMissing:
            raise ObjectStoreUnavailable(
                f"the object store {self._name} lost an object while it was stored"
            ) from None


def _sync(root: Path, path: Path) -> None:
    fsync(path)
    for folder in path.parents:
        _sync_folder(folder)
        if folder == root:
            return


def _sync_folder(folder: Path) -> None:
    """Sync a folder's entries, unless its file system or its owner does not allow that."""
    try:
        fsync(folder)
    except OSError as exc:
        if exc.errno not in _NOT_SYNCED:
            raise
