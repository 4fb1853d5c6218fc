"""The data directory: where everything lies, and the lock that gives it to one process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataDirBusy(Exception):
    """Another process holds the data directory; the text is a sentence for the operator."""


class DataDir:
    """The paths under the directory of STEMCORD_DATA_DIR."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def database(self) -> Path:
        """The database file."""
        return self.root / "stemcord.db"

    @property
    def models(self) -> Path:
        """Where the separation models lie."""
        return self.root / "models"

    @property
    def jobs(self) -> Path:
        """Where each job has its directory."""
        return self.root / "jobs"

    @property
    def backups(self) -> Path:
        """Where copies of the database go when nobody says otherwise."""
        return self.root / "backups"

    def create(self) -> None:
        """Make the directory and what belongs in it, readable by this user alone."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.models, self.jobs):
            folder.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory, made if need be; raises DataDirBusy when another process does.

        The system lets go of the lock when the process ends, however it ends.
        """
        self.create()
        descriptor = os.open(self.root / "stemcord.lock", os.O_RDWR | os.O_CREAT, 0o600)
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
