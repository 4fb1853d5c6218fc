"""`backup` and `restore`: a copy of the database beside a running bot, and the way back."""

from argparse import ArgumentParser
from pathlib import Path

from rich.console import Console

from bot.config import Settings
from bot.domain.clock import SystemClock
from storage.files.data_dir import DataDir
from storage.upkeep.snapshots import Snapshot, back_up, snapshot_name
from storage.upkeep.snapshots import restore as put_back


def backup_options(parser: ArgumentParser) -> None:
    """Add what `backup` understands."""
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="where to, a new file or a folder; by default a new file in backups/ of the data",
    )


def backup(settings: Settings, console: Console, *, file: Path | None = None) -> int:
    """Copy the database, whether a bot runs or not. Raises UnknownDatabase and SnapshotFailed."""
    data = DataDir(settings.data_dir)
    if file is None:
        file = data.backups
        file.mkdir(mode=0o700, parents=True, exist_ok=True)
    into = file / snapshot_name(SystemClock().now()) if file.is_dir() else file
    _say(console, _told(back_up(data.database, into)))
    return 0


def restore_options(parser: ArgumentParser) -> None:
    """Add what `restore` understands."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a copy that `backup` made")


def restore(settings: Settings, console: Console, *, file: Path) -> int:
    """Put a copy back while no bot runs. Raises DataDirBusy, UnknownDatabase and SnapshotFailed."""
    data = DataDir(settings.data_dir)
    with data.lock():
        restored, kept = put_back(file, data.database, SystemClock().now())
    _say(console, _told(restored))
    if kept is not None:
        _say(console, f"The database before is kept as {kept}")
    return 0


def _told(copy: Snapshot) -> str:
    return f"{copy.path}: {copy.size_bytes / 2**20:.1f} MiB, {copy.jobs:,} jobs"


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
