"""`move`: copies a stopped SQLite installation into an empty PostgreSQL database.

With an object store, the kept files are put there first.
"""

import asyncio

from rich.console import Console

from bot.cli.commands.database_commands import audit
from bot.cli.opening.object_stores import open_objects
from bot.cli.opening.stores import database_address, open_store
from bot.config import Settings, SettingsError
from bot.domain.clock import SystemClock
from bot.domain.job import JobId
from storage.database.opening import PostgresUrl
from storage.files.data_dir import DataDir
from storage.files.job_files import JobFiles
from storage.objects.object_store import ObjectStore


def move(settings: Settings, console: Console) -> int:
    """Copy files and database, then audit the copy; return 1 if an invariant is broken in it.

    The bot must not be running. If it fails, it can be repeated. Raises SettingsError, DataUnusable
    (DataDirBusy included), UnknownDatabase, SnapshotFailed and StoreUnavailable.
    """
    address, objects = database_address(settings), open_objects(settings)
    if not isinstance(address, PostgresUrl):
        raise SettingsError(
            "STEMCORD_DATABASE_URL: expected the address of the PostgreSQL database to move to"
        )
    data = DataDir(settings.data_dir)
    with data.lock():
        for line in asyncio.run(_move(data, address, objects)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return audit(settings, console)


async def _move(data: DataDir, address: PostgresUrl, objects: ObjectStore | None) -> list[str]:
    from storage.upkeep.database_move import move_database, require_empty

    await require_empty(address.secret)
    said = []
    if objects is not None and data.database.exists():
        said.append(await _move_files(data, objects))
    moved = await move_database(data.database, address.secret)
    said.append(
        f"{moved.rows:,} rows of {moved.tables} tables are copied to STEMCORD_DATABASE_URL. "
        f"{data.database} is no longer used."
    )
    return said


async def _move_files(data: DataDir, objects: ObjectStore) -> str:
    """Put the files of all jobs into the store, which is marked as the SQLite database's own."""
    store = await open_store(data, SystemClock(), objects=objects)
    try:
        jobs = [JobId(path.name) for path in sorted(data.jobs.iterdir()) if path.is_dir()]
        known = await store.jobs.known_ids()
        kept = [job_id for job_id in jobs if job_id in known]
        for job_id in kept:
            await _keep(store.files, job_id)
    finally:
        await store.db.close()
    return f"The files of {len(kept):,} jobs are in {objects.name}."


async def _keep(files: JobFiles, job_id: JobId) -> None:
    where = files.of(job_id)
    if where.input.exists():
        await files.keep_input(job_id)
    if where.masters.exists() and any(where.masters.iterdir()):
        await files.settle(job_id)
    if where.linked.exists():
        await files.keep_linked(job_id)
