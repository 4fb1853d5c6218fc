"""The data directory: its paths, and the lock that reserves it for one process."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.domain.errors import DISK_FULL
from storage.files.ownership import DataUnusable, why_unusable


class DataDirBusy(DataUnusable):
    """Another process is using the data directory. The message is a sentence for the operator."""


class DataDir:
    """The paths under STEMCORD_DATA_DIR."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def database(self) -> Path:
        """The database file."""
        return self.root / "stemcord.db"

    @property
    def models(self) -> Path:
        """The directory of the separation models."""
        return self.root / "models"

    @property
    def jobs(self) -> Path:
        """The directory that holds one subdirectory per job."""
        return self.root / "jobs"

    @property
    def backups(self) -> Path:
        """The default directory for copies of the database."""
        return self.root / "backups"

    def create(self) -> None:
        """Create the directory and its subdirectories, closed to other users.

        Raises DataUnusable with the path and a fix for the operator.
        """
        for folder in (self.root, self.models, self.jobs):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as exc:
                raise DataUnusable(why_unusable(folder, exc)) from exc
        self._close_to_others()

    def check_writable(self) -> None:
        """Write a file and remove it again. Raises DataUnusable, or OSError on a full disk."""
        try:
            with tempfile.TemporaryFile(dir=self.jobs if self.jobs.exists() else self.root) as file:
                file.write(b"probe")
                file.flush()
        except OSError as exc:
            if exc.errno in DISK_FULL:
                raise
            raise DataUnusable(why_unusable(self.jobs, exc)) from exc

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the directory, creating it if needed.

        Raises DataDirBusy if another process holds the lock, and DataUnusable as `create` does. The
        system releases the lock even if the process crashes.
        """
        self.create()
        path = self.root / "stemcord.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise DataUnusable(why_unusable(path, exc)) from exc
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise DataDirBusy(
                    f"Another Stemcord process is using {self.root}; "
                    "stop it, or set STEMCORD_DATA_DIR to another directory."
                ) from exc
            yield
        finally:
            os.close(descriptor)

    def _close_to_others(self) -> None:
        """Close a directory that an older version or `mkdir` left open to other users."""
        found = self.root.stat()
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            self.root.chmod(found.st_mode & 0o700)
