"""`audit`: whether jobs, minutes and files are as promised; with the bot running or not."""

from argparse import ArgumentParser
from datetime import timedelta

from rich.console import Console

from bot.config import Settings
from bot.domain.clock import SystemClock
from storage.files.data_dir import DataDir
from storage.upkeep.invariants import Terms
from storage.upkeep.invariants import audit as look


def options(parser: ArgumentParser) -> None:
    """Add what the command understands."""
    parser.add_argument(
        "--drained",
        action="store_true",
        help="also demand that every job is over and every reply shows it",
    )


def audit(settings: Settings, console: Console, *, drained: bool = False) -> int:
    """Print each finding; 1 when a promise is broken. Raises UnknownDatabase."""
    data = DataDir(settings.data_dir)
    terms = Terms(
        now=SystemClock().now(),
        keep=timedelta(hours=settings.keep_results_hours),
        drained=drained,
    )
    findings = look(data.database, data.jobs, terms)
    for finding in findings:
        console.print(str(finding), markup=False, highlight=False, soft_wrap=True)
    return 0 if all(each.is_good for each in findings) else 1
