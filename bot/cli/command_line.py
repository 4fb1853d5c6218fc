"""The commands by name: `run`, which is the default, and the operator's tools."""

import argparse
import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console

from bot.cli import run, worker_role
from bot.cli.commands import (
    database_commands,
    discord_commands,
    doctor,
    models,
    move,
    providers,
    studio_models,
)
from bot.cli.discord_session import DiscordRefused
from bot.config import SettingsError, load_settings
from bot.domain.errors import ModelUnavailable, StoreUnavailable
from bot.ops.server import AddressUnavailable
from storage.database.protocols import TakenOver
from storage.database.schema import UnknownDatabase
from storage.files.ownership import DataUnusable
from storage.upkeep.snapshots import SnapshotFailed

EXIT_OK, EXIT_FAILED, EXIT_SETTINGS = 0, 1, 2

OPERATOR_ERRORS = (
    AddressUnavailable,
    DataUnusable,
    DiscordRefused,
    ModelUnavailable,
    SnapshotFailed,
    StoreUnavailable,
    TakenOver,
    UnknownDatabase,
)
"""Errors whose text is a complete sentence for the operator, so no traceback is shown."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command; `work` is called with the settings, the console and its options as keywords."""

    summary: str
    work: Callable[..., int]
    options: Callable[[ArgumentParser], None] | None = None
    is_answer: bool = False
    """Whether its output is its result and goes to standard output."""


COMMANDS: dict[str, Command] = {
    "run": Command("run the bot (the default)", run.run),
    "worker": Command(
        "separate songs, or run audio tasks, for bots on other machines", worker_role.worker
    ),
    "doctor": Command("check settings, model, disk, libraries and Discord", doctor.doctor),
    "providers": Command(
        "show which provider serves which recipe, and what it may bill",
        providers.providers,
        is_answer=True,
    ),
    "models": Command("fetch the model of the embedded engine", models.models),
    "studio": Command(
        "show the studio's models and their terms", studio_models.studio, is_answer=True
    ),
    "audit": Command(
        "check the invariants of jobs, minutes and files",
        database_commands.audit,
        database_commands.audit_options,
    ),
    "backup": Command(
        "copy the database, whether or not the bot is running",
        database_commands.backup,
        database_commands.backup_options,
    ),
    "restore": Command(
        "restore a copy; the bot must not be running",
        database_commands.restore,
        database_commands.restore_options,
    ),
    "move": Command(
        "copy the SQLite database into an empty PostgreSQL database; the bot must not be running",
        move.move,
    ),
    "renew-links": Command(
        "invalidate all links to stems; the bot must not be running",
        database_commands.renew_links,
    ),
    "clear-commands": Command(
        "remove commands that an earlier bot left in servers",
        discord_commands.clear_commands,
    ),
}


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the process's exit status."""
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
    except OPERATOR_ERRORS as exc:
        print(exc, file=sys.stderr)
        return EXIT_FAILED
    except OSError as exc:
        # System errors about a file: the message says all that a traceback would.
        print(f"{exc.filename}: {exc.strerror}" if exc.filename else exc, file=sys.stderr)
        return EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_OK
