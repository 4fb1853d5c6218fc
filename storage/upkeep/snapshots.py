"""Copies of the database, made even while a bot is writing and restored while none is running.

A copy contains neither audio, which is deleted within hours anyway, nor the key that signs links to
audio. It does contain the keys that identify account owners.
"""

import os
import re
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.domain.errors import StoreUnavailable
from storage.database.read_only import faults, read_only
from storage.database.schema import UnknownDatabase, migrations
from storage.files.atomic import write_aside
from storage.stores.meta import LINK_KEY

COPIES_KEPT = 2
"""How many automatic copies of each kind (before a migration, before a restore) are kept.
"""
REPLACED_KEPT_FOR = timedelta(days=30)
"""How long automatic copies are kept. They may contain data that has since been deleted.
"""

_BEFORE_MIGRATION = "before-migration-from-"
_BEFORE_RESTORE = ".before-restore-"

_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_STAMP = re.compile(r"\d{8}T\d{6}Z")

WAL, INDEX = "-wal", "-shm"
"""Suffixes of the two files that SQLite keeps beside a database in use."""


class SnapshotFailed(Exception):
    """A copy could not be made or restored. The message is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete and verified copy."""

    path: Path
    size_bytes: int
    jobs: int


def snapshot_name(now: datetime) -> str:
    """Return the file name of a copy made at that time."""
    return f"stemcord-{_stamp(now)}.db"


def back_up(database: Path, into: Path) -> Snapshot:
    """Write a consistent copy of the database. The new file appears complete or not at all.

    Raises UnknownDatabase, and SnapshotFailed if `into` exists or cannot be written.
    """
    with _operator_errors():
        if into.exists():
            raise SnapshotFailed(f"{into} already exists and is left as it is.")
        with write_aside(into) as draft:
            jobs = _copy(database, draft)
            _drop_link_key(draft)
        return Snapshot(into, into.stat().st_size, jobs)


def copy_before_migration(database: Path, folder: Path, now: datetime) -> Snapshot | None:
    """Copy a database before this version changes its schema, and keep the last two copies.

    Returns None if there is nothing to migrate. Raises UnknownDatabase (NewerDatabase included) and
    SnapshotFailed.
    """
    if not database.exists() or not database.stat().st_size:
        return None
    with _operator_errors():
        with read_only(database) as conn:
            [version] = conn.execute("PRAGMA user_version").fetchone()
        if version == len(migrations()):
            return None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = back_up(database, folder / f"{_BEFORE_MIGRATION}{version:04d}-{_stamp(now)}.db")
        _keep_newest(folder.glob(f"{_BEFORE_MIGRATION}*.db"))
    return made


def copy_for_this_version(folder: Path) -> Path | None:
    """Return the newest copy made before a migration that this version can read."""
    readable = [
        path
        for path in folder.glob(f"{_BEFORE_MIGRATION}*.db")
        if int(path.name.removeprefix(_BEFORE_MIGRATION)[:4]) <= len(migrations())
    ]
    return max(readable, key=_made_at, default=None)


def drop_old_copies(database: Path, now: datetime) -> list[Path]:
    """Delete old databases that a restore replaced, and return their paths."""
    end = _stamp(now - REPLACED_KEPT_FOR)
    old = [path for path in _replaced(database) if _made_at(path) < end]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def restore(copy: Path, database: Path, now: datetime) -> tuple[Snapshot, Path | None]:
    """Replace the database with a copy, in a data directory whose lock is held.

    Returns the copy and the path of the replaced database, of which at most two are kept.
    A copy with an older schema is migrated when a bot opens it. Raises UnknownDatabase or
    SnapshotFailed, with nothing changed.
    """
    with _operator_errors():
        if database.exists() and database.samefile(copy):
            raise SnapshotFailed(f"{copy} is the database itself.")
        name = database.with_name(f"{database.name}{_BEFORE_RESTORE}{_stamp(now)}")
        with write_aside(database) as draft:
            jobs = _copy(copy, draft)
            _match_owner(draft, database)
            kept = _keep(database, name)
            # SQLite would apply a leftover write-ahead log to the new database.
            for ending in (WAL, INDEX):
                _beside(database, ending).unlink(missing_ok=True)
        _keep_newest(path for path in _replaced(database) if path.name.endswith("Z"))
        return Snapshot(database, database.stat().st_size, jobs), kept


def _copy(source: Path, draft: Path) -> int:
    """Copy a database into an empty file and return its number of jobs."""
    with read_only(source) as reader, closing(sqlite3.connect(draft, isolation_level=None)) as made:
        reader.backup(made)
        made.execute("PRAGMA journal_mode = DELETE")  # a single file, without a write-ahead log
        if found := faults(made):
            raise UnknownDatabase(f"{source} is damaged: {found[0]}")
        [jobs] = made.execute("SELECT count(*) FROM jobs").fetchone()
    return int(jobs)


def _drop_link_key(draft: Path) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None)) as made:
        made.execute("PRAGMA secure_delete = ON")
        made.execute("DELETE FROM meta WHERE key = ?", (LINK_KEY,))


def _match_owner(draft: Path, database: Path) -> None:
    """Give the new file the owner and mode of the old one, or those of the folder."""
    like = database.stat() if database.exists() else database.parent.stat()
    if os.geteuid() == 0:
        os.chown(draft, like.st_uid, like.st_gid)
    if database.exists():
        draft.chmod(stat.S_IMODE(like.st_mode))


def _replaced(database: Path) -> list[Path]:
    return list(database.parent.glob(f"{database.name}{_BEFORE_RESTORE}*"))


def _keep_newest(copies: Iterable[Path]) -> None:
    for path in sorted(copies, key=_made_at, reverse=True)[COPIES_KEPT:]:
        for ending in ("", WAL, INDEX):
            _beside(path, ending).unlink(missing_ok=True)


def _made_at(copy: Path) -> str:
    """Return the timestamp in a copy's name. Timestamps sort by age."""
    found = _STAMP.search(copy.name)
    return found[0] if found else ""


def _keep(database: Path, name: Path) -> Path | None:
    """Hard-link the database and its log under a second name."""
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
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _LOCKED:
            raise StoreUnavailable(str(exc)) from exc
        raise SnapshotFailed(f"The copy could not be made: {exc}.") from exc


def _stamp(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}"
