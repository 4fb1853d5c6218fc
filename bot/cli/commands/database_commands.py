"""`audit`, `backup`, `restore` and `renew-links`: the operator's commands on the database."""

import asyncio
from argparse import ArgumentParser
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from bot.cli.opening.object_stores import open_objects
from bot.cli.opening.stores import database_address
from bot.config import Settings
from bot.domain.clock import SystemClock
from bot.net.public_links import KEY_BYTES
from storage.database.opening import Address, open_database
from storage.files.data_dir import DataDir, DataDirBusy
from storage.files.ownership import DataUnusable, why_unusable
from storage.groups.own_connections import lock_of
from storage.objects.shared_job_files import stored_paths
from storage.stores.meta import LINK_KEY, Meta
from storage.upkeep.invariants import Terms
from storage.upkeep.invariants import audit as check_invariants
from storage.upkeep.snapshots import Snapshot, back_up, snapshot_name
from storage.upkeep.snapshots import restore as put_back

PG_DUMP = 'pg_dump --format=custom --file=stemcord.dump "$STEMCORD_DATABASE_URL"'
PG_RESTORE = (
    "pg_restore --clean --if-exists --no-owner --single-transaction "
    '--dbname="$STEMCORD_DATABASE_URL" stemcord.dump'
)
"""Shell commands that copy a PostgreSQL database, without its address, which is a secret."""


def audit_options(parser: ArgumentParser) -> None:
    """Add the options of `audit`."""
    parser.add_argument(
        "--drained",
        action="store_true",
        help="also require that every job has ended and its reply shows it",
    )


def audit(settings: Settings, console: Console, *, drained: bool = False) -> int:
    """Print each finding; return 1 if an invariant is broken. The bot may be running.

    Raises SettingsError, UnknownDatabase, StoreUnavailable and DataUnusable.
    """
    data = DataDir(settings.data_dir)
    database, objects = database_address(settings), open_objects(settings)

    def list_stored() -> frozenset[str]:
        if objects is None:
            return frozenset()
        return asyncio.run(stored_paths(objects))

    terms = Terms(
        now=SystemClock().now(),
        keep=timedelta(hours=settings.keep_results_hours),
        drained=drained,
    )
    try:
        findings = check_invariants(database, data.jobs, terms, list_stored=list_stored)
    except PermissionError as exc:
        raise DataUnusable(why_unusable(data.jobs, exc)) from exc
    for finding in findings:
        _say(console, str(finding))
    return 0 if all(each.is_good for each in findings) else 1


def backup_options(parser: ArgumentParser) -> None:
    """Add the options of `backup`."""
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="a new file, or a folder; by default a new file in backups/ of the data folder",
    )


def backup(settings: Settings, console: Console, *, file: Path | None = None) -> int:
    """Copy the database; the bot may be running. For PostgreSQL, print instructions and return 1.

    Raises UnknownDatabase, SnapshotFailed and DataUnusable.
    """
    if settings.database_url is not None:
        _say(console, f"PostgreSQL makes its own copies, even while the bot runs:\n{PG_DUMP}")
        return 1
    data = DataDir(settings.data_dir)
    if file is None:
        file = data.backups
        try:
            file.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise DataUnusable(why_unusable(file, exc)) from exc
    into = file / snapshot_name(SystemClock().now()) if file.is_dir() else file
    _say(console, _described(back_up(data.database, into)))
    return 0


def restore_options(parser: ArgumentParser) -> None:
    """Add the options of `restore`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a copy that `backup` made")


def restore(settings: Settings, console: Console, *, file: Path) -> int:
    """Restore a copy; the bot must not be running. For PostgreSQL, say how and return 1.

    Raises DataUnusable (DataDirBusy included), UnknownDatabase and SnapshotFailed.
    """
    if settings.database_url is not None:
        _say(
            console,
            f"PostgreSQL restores its own copies. With the bot stopped:\n{PG_RESTORE}\n"
            "python -m bot renew-links",
        )
        return 1
    data = DataDir(settings.data_dir)
    with data.lock():
        restored, kept = put_back(file, data.database, SystemClock().now())
    _say(console, _described(restored))
    if kept is not None:
        _say(console, f"The database before is kept as {kept}")
    return 0


def renew_links(settings: Settings, console: Console) -> int:
    """Invalidate all our links; the bot must not be running. It makes new links from then on.

    Raises DataUnusable (DataDirBusy included), UnknownDatabase and StoreUnavailable.
    """
    address = database_address(settings)
    with DataDir(settings.data_dir).lock():
        asyncio.run(_renew_link_key(address))
    _say(console, "All links shown so far have ended.")
    return 0


async def _renew_link_key(address: Address) -> None:
    async with AsyncExitStack() as stack:
        if (lock := lock_of(address)) is not None:
            stack.push_async_callback(lock.close)
            if not await lock.try_once():
                raise DataDirBusy("Another process is the bot of this database; stop it first.")
        db = await open_database(address)
        stack.push_async_callback(db.close)
        await Meta(db=db).renew_secret(LINK_KEY, KEY_BYTES)
        await db.scrub()


def _described(copy: Snapshot) -> str:
    return f"{copy.path}: {copy.size_bytes / 2**20:.1f} MiB, {copy.jobs:,} jobs"


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
