"""Opens the bot's persistent store."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bot.config import Settings, SettingsError
from bot.domain.clock import Clock
from bot.domain.errors import ObjectStoreUnavailable, StoreBroken
from bot.domain.periods import Period
from storage.database.connection import Database as SqliteDatabase
from storage.database.opening import Address, PostgresUrl, open_database
from storage.database.protocols import Database, Ownership
from storage.database.schema import NewerDatabase, UnknownDatabase
from storage.files.data_dir import DataDir
from storage.files.job_files import JobFiles
from storage.files.ownership import DataUnusable
from storage.groups.shard_group import EVERY_SHARD, ShardGroup
from storage.objects.object_store import ObjectStore
from storage.objects.shared_job_files import SharedJobFiles
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
OBJECTS_OWNER = "owner of the object store"
"""The key of the random text that tells this database's objects from another's."""
OWNER_BYTES = 16
CLAIM_WITHIN_S = 5.0
"""How long a start waits for the object store, so that commands are answered soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The bot's persistent state: data directory, database, and the data read from it at start."""

    db: Database
    jobs: JobStore
    ledger: Ledger
    meta: Meta
    files: JobFiles
    shards: ShardGroup = EVERY_SHARD
    """The group whose jobs this bot processes."""
    running_periods: tuple[Period, ...] = ()
    """Unfinished periods whose keys are in the old form, without the kind."""
    made_at: datetime | None = None
    """The time when the database was created; None if it is older than that record."""


def database_address(settings: Settings) -> Address:
    """Return the address of the database that the settings name.

    Raises SettingsError if it is misspelt, or if the packages for PostgreSQL are not installed.
    """
    if settings.database_url is None:
        return DataDir(settings.data_dir).database
    url = settings.database_url.get_secret_value()
    try:
        import psycopg
        import psycopg_pool  # noqa: F401 - needed later on
    except ImportError:
        raise SettingsError(
            "STEMCORD_DATABASE_URL: expected the packages for PostgreSQL with it; `make postgres` "
            "installs them"
        ) from None
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        description = type(settings).model_fields["database_url"].description
        # Without its cause, which quotes the address.
        raise SettingsError(f"STEMCORD_DATABASE_URL: expected {description}") from None
    return PostgresUrl(url)


async def open_store(
    data: DataDir,
    clock: Clock,
    address: Address | None = None,
    objects: ObjectStore | None = None,
    *,
    owner: Ownership | None = None,
    shards: ShardGroup = EVERY_SHARD,
) -> Store:
    """Open the database and write to it once; the data directory is locked.

    Without an address, the database is the file in the data directory. With an `owner`, the
    database can be used only as long as that ownership of the group lasts. A missing file is
    created, and one whose schema will change is copied. An object store is marked as this
    database's now, or once it is available. Raises UnknownDatabase, SnapshotFailed and DataUnusable
    with a sentence for the operator, and StoreUnavailable while the database is locked or
    unreachable.
    """
    now = clock.now()
    address = address or data.database
    is_new = isinstance(address, Path) and not address.exists()
    try:
        if isinstance(address, Path):
            await asyncio.to_thread(_keep_copy, data, now)
        db = await open_database(address, owner=owner)
        try:
            store = await _opened(db, data, clock, shards, is_new=is_new)
            return store if objects is None else await _shared(store, data, objects)
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


async def _opened(
    db: Database, data: DataDir, clock: Clock, shards: ShardGroup, *, is_new: bool
) -> Store:
    await db.probe()
    meta = Meta(db=db)
    made_at = await meta.get(MADE_AT)
    if is_new or (made_at is None and not isinstance(db, SqliteDatabase)):
        made_at = clock.now().isoformat()
        await meta.put(MADE_AT, made_at)
        where = data.database if isinstance(db, SqliteDatabase) else "STEMCORD_DATABASE_URL"
        log.warning("there was no database; a new and empty one is made at %s", where)
    return Store(
        db=db,
        jobs=JobStore(db=db, shards=shards),
        ledger=Ledger(db=db, clock=clock),
        meta=meta,
        files=JobFiles(data.jobs),
        shards=shards,
        running_periods=await Pseudonyms(db=db).periods_without_kind(),
        made_at=datetime.fromisoformat(made_at) if made_at else None,
    )


async def _shared(store: Store, data: DataDir, objects: ObjectStore) -> Store:
    """Return the store, with the jobs' files also kept in the object store."""
    owner = (await store.meta.secret(OBJECTS_OWNER, OWNER_BYTES)).hex()
    files = SharedJobFiles(data.jobs, objects, owner=owner)
    try:
        async with asyncio.timeout(CLAIM_WITHIN_S):
            await files.claim_store()
    except (ObjectStoreUnavailable, TimeoutError) as exc:
        log.warning("songs wait for the object store: %s", str(exc) or "it does not answer")
    else:
        log.info("audio is also kept in the object store %s", objects.name)
    return replace(store, files=files)


def _with_way_back(error: NewerDatabase, data: DataDir) -> UnknownDatabase:
    """Return the error with a hint about the copy that the newer version made before migrating."""
    copy = copy_for_this_version(data.backups)
    if copy is None:
        return error
    return UnknownDatabase(
        f"{error} The newer version kept one: `python -m bot restore {copy}` puts it back."
    )
