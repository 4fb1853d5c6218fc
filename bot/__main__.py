"""The command line: `run` (the default), and what an operator does beside a running bot."""

import argparse
import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console

from bot.cli import audit, backup, doctor, models, providers, run
from bot.cli.shutdown import exit_now
from bot.config import SettingsError, load_settings
from bot.domain.errors import ModelUnavailable
from storage.database.schema import UnknownDatabase
from storage.files.data_dir import DataDirBusy
from storage.upkeep.snapshots import SnapshotFailed

EXIT_OK, EXIT_FAILED, EXIT_SETTINGS = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Command:
    """One word of the command line; `work` gets settings, console and its options by name."""

    summary: str
    work: Callable[..., int]
    options: Callable[[ArgumentParser], None] | None = None
    is_answer: bool = False
    """What it prints is what it was asked for, and so goes to standard output."""


COMMANDS: dict[str, Command] = {
    "run": Command("run the bot (the default)", run.run),
    "doctor": Command("check settings, model, disk and libraries", doctor.doctor),
    "providers": Command(
        "show which provider serves which recipe, and what it may bill",
        providers.providers,
        is_answer=True,
    ),
    "models": Command("fetch the model of the embedded engine", models.models),
    "audit": Command("check every promise about jobs and minutes", audit.audit, audit.options),
    "backup": Command(
        "copy the database, beside a running bot", backup.backup, backup.backup_options
    ),
    "restore": Command(
        "put a copy back, while no bot runs", backup.restore, backup.restore_options
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m bot", description=__doc__)
    subparsers = parser.add_subparsers(title="commands", dest="command", metavar="")
    for name, command in COMMANDS.items():
        own = subparsers.add_parser(name, help=command.summary, description=command.summary)
        if command.options is not None:
            command.options(own)
    options = vars(parser.parse_args(arguments))
    chosen = COMMANDS[options.pop("command") or "run"]
    console = Console(stderr=not chosen.is_answer)
    try:
        return chosen.work(load_settings(), console, **options)
    except SettingsError as exc:
        print(exc, file=sys.stderr)
        return EXIT_SETTINGS
    except (ModelUnavailable, DataDirBusy, UnknownDatabase, SnapshotFailed) as exc:
        print(exc, file=sys.stderr)
        return EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_OK


if __name__ == "__main__":
    exit_now(main())
