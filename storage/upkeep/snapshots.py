"""Copies of the database: made while a bot may be writing, and put back while none runs.

Audio is not part of a copy: it is deleted after hours anyway, and jobs can do without it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from storage.database.read_only import faults, read_only
from storage.database.schema import UnknownDatabase
from storage.files.atomic import write_aside

WAL, INDEX = "-wal", "-shm"
"""The endings of the two files that SQLite keeps beside a database in use."""


class SnapshotFailed(Exception):
    """A copy could not be made or put back; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy that was made, whole and checked."""

    path: Path
    size_bytes: int
    jobs: int


def snapshot_name(now: datetime) -> str:
    """Return a file name that says when a copy was made."""
    return f"stemcord-{_stamp(now)}.db"


def back_up(database: Path, into: Path) -> Snapshot:
    """Copy the database as it is at one moment; the new file appears whole or not at all.

    Raises UnknownDatabase, and SnapshotFailed where `into` exists or cannot be written.
    """
    with _operator_errors():
        if into.exists():
            raise SnapshotFailed(f"{into} exists already and is left as it is.")
        with write_aside(into) as draft:
            jobs = _copy(database, draft)
        return Snapshot(into, into.stat().st_size, jobs)


def restore(copy: Path, database: Path, now: datetime) -> tuple[Snapshot, Path | None]:
    """Put a copy in the database's place, in a data directory whose lock is held.

    Return it, and where the database that stood there is kept. A copy with an older schema is
    brought up to date when a bot opens it. Raises UnknownDatabase and SnapshotFailed, with nothing
    changed.
    """
    with _operator_errors():
        if database.exists() and database.samefile(copy):
            raise SnapshotFailed(f"{copy} is the database itself.")
        name = database.with_name(f"{database.name}.before-restore-{_stamp(now)}")
        with write_aside(database) as draft:
            jobs = _copy(copy, draft)
            kept = _keep(database, name)
            # A log left beside the new database would be taken for its own.
            for ending in (WAL, INDEX):
                _beside(database, ending).unlink(missing_ok=True)
        return Snapshot(database, database.stat().st_size, jobs), kept


def _copy(source: Path, draft: Path) -> int:
    """Copy a database into an empty file and return its number of jobs."""
    with read_only(source) as reader, closing(sqlite3.connect(draft, isolation_level=None)) as made:
        reader.backup(made)
        made.execute("PRAGMA journal_mode = DELETE")  # all of it in this one file
        if found := faults(made):
            raise UnknownDatabase(f"{source} is damaged: {found[0]}")
        [jobs] = made.execute("SELECT count(*) FROM jobs").fetchone()
    return int(jobs)


def _keep(database: Path, name: Path) -> Path | None:
    """Give the database a second name, and the log with what is not yet in it."""
    if not database.exists():
        return None
    for ending in ("", WAL):
        if _beside(database, ending).exists():
            os.link(_beside(database, ending), _beside(name, ending))
    return name


def _beside(database: Path, ending: str) -> Path:
    return database.with_name(database.name + ending)


@contextmanager
def _operator_errors() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise SnapshotFailed(f"{exc.filename}: {exc.strerror}.") from exc
    except sqlite3.Error as exc:
        raise SnapshotFailed(f"The copy could not be made: {exc}.") from exc


def _stamp(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}"
