"""`audit`, `backup`, `restore` and `renew-links`: the operator's commands on the database."""

import asyncio
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from bot.config import Settings
from bot.domain.clock import SystemClock
from bot.net.public_links import KEY_BYTES
from storage.database.connection import Database
from storage.files.data_dir import DataDir
from storage.files.ownership import DataUnusable, why_unusable
from storage.stores.meta import LINK_KEY, Meta
from storage.upkeep.invariants import Terms
from storage.upkeep.invariants import audit as check_invariants
from storage.upkeep.snapshots import Snapshot, back_up, snapshot_name
from storage.upkeep.snapshots import restore as put_back


def audit_options(parser: ArgumentParser) -> None:
    """Add the options of `audit`."""
    parser.add_argument(
        "--drained",
        action="store_true",
        help="also require that every job has ended and its reply shows it",
    )


def audit(settings: Settings, console: Console, *, drained: bool = False) -> int:
    """Print each finding; return 1 if an invariant is broken. The bot may be running.

    Raises UnknownDatabase and DataUnusable.
    """
    data = DataDir(settings.data_dir)
    terms = Terms(
        now=SystemClock().now(),
        keep=timedelta(hours=settings.keep_results_hours),
        drained=drained,
    )
    try:
        findings = check_invariants(data.database, data.jobs, terms)
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
    """Copy the database; the bot may be running.

    Raises UnknownDatabase, SnapshotFailed and DataUnusable.
    """
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
    """Restore a copy; the bot must not be running.

    Raises DataUnusable (DataDirBusy included), UnknownDatabase and SnapshotFailed.
    """
    data = DataDir(settings.data_dir)
    with data.lock():
        restored, kept = put_back(file, data.database, SystemClock().now())
    _say(console, _described(restored))
    if kept is not None:
        _say(console, f"The database before is kept as {kept}")
    return 0


def renew_links(settings: Settings, console: Console) -> int:
    """Invalidate all our links; the bot must not be running. It makes new links from then on.

    Raises DataUnusable (DataDirBusy included) and UnknownDatabase.
    """
    data = DataDir(settings.data_dir)
    with data.lock():
        asyncio.run(_renew_link_key(data.database))
    _say(console, "All links shown so far have ended.")
    return 0


async def _renew_link_key(database: Path) -> None:
    db = await Database.open(database)
    try:
        await Meta(db=db).renew_secret(LINK_KEY, KEY_BYTES)
        await db.scrub()
    finally:
        await db.close()


def _described(copy: Snapshot) -> str:
    return f"{copy.path}: {copy.size_bytes / 2**20:.1f} MiB, {copy.jobs:,} jobs"


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
