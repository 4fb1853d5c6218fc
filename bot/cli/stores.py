"""Opens the bot's persistent store."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime

from bot.domain.clock import Clock
from bot.domain.errors import StoreBroken
from bot.domain.periods import Period
from storage.database.connection import Database
from storage.database.schema import NewerDatabase, UnknownDatabase
from storage.files.data_dir import DataDir
from storage.files.job_files import JobFiles
from storage.files.ownership import DataUnusable
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from storage.stores.meta import Meta
from storage.stores.pseudonyms import Pseudonyms
from storage.upkeep.snapshots import (
    copy_before_migration,
    copy_for_this_version,
    drop_old_copies,
)

log = logging.getLogger(__name__)

MADE_AT = "made at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The bot's persistent state: data directory, database and what is read from it at start."""

    db: Database
    jobs: JobStore
    ledger: Ledger
    meta: Meta
    files: JobFiles
    running_periods: tuple[Period, ...] = ()
    """Unfinished periods whose keys are in the old form, without the kind."""
    made_at: datetime | None = None
    """The time when the database was created; None if it is older than that record."""


async def open_store(data: DataDir, clock: Clock) -> Store:
    """Open the database in a locked data directory, and write to it once.

    Creates a missing database, and copies one whose schema will change. Raises UnknownDatabase,
    SnapshotFailed and DataUnusable with a sentence for the operator, and StoreUnavailable while the
    database is locked.
    """
    now = clock.now()
    is_new = not data.database.exists()
    try:
        await asyncio.to_thread(_keep_copy, data, now)
        db = await Database.open(data.database)
        try:
            return await _opened(db, data, clock, is_new=is_new)
        except BaseException:
            await db.close()
            raise
    except NewerDatabase as exc:
        raise _with_way_back(exc, data) from exc
    except StoreBroken as exc:
        raise DataUnusable(str(exc)) from exc


def _keep_copy(data: DataDir, now: datetime) -> None:
    if made := copy_before_migration(data.database, data.backups, now):
        log.info("the database before this version is kept as %s", made.path)
    for old in drop_old_copies(data.database, now):
        log.info("%s was kept by an old restore and is deleted", old)


async def _opened(db: Database, data: DataDir, clock: Clock, *, is_new: bool) -> Store:
    await db.probe()
    meta = Meta(db=db)
    if is_new:
        await meta.put(MADE_AT, clock.now().isoformat())
        log.warning("there was no database; a new and empty one is made at %s", data.database)
    made_at = await meta.get(MADE_AT)
    return Store(
        db=db,
        jobs=JobStore(db=db),
        ledger=Ledger(db=db, clock=clock),
        meta=meta,
        files=JobFiles(data.jobs),
        running_periods=await Pseudonyms(db=db).periods_without_kind(),
        made_at=datetime.fromisoformat(made_at) if made_at else None,
    )


def _with_way_back(error: NewerDatabase, data: DataDir) -> UnknownDatabase:
    """Return the error with a hint at the copy that the newer version made before its migration."""
    copy = copy_for_this_version(data.backups)
    if copy is None:
        return error
    return UnknownDatabase(
        f"{error} The newer version kept one: `python -m bot restore {copy}` puts it back."
    )
