"""The command line: `run` (the default), and what an operator does beside a running bot."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from bot.cli import doctor, models, providers, run
from bot.config import Settings, SettingsError, load_settings
from bot.domain.errors import ModelUnavailable
from storage.datadir import DataDirBusy
from storage.schema import UnknownDatabase

EXIT_OK, EXIT_FAILED, EXIT_SETTINGS = 0, 1, 2

Command = Callable[[Settings, Console], int]

COMMANDS: dict[str, tuple[str, Command]] = {
    "run": ("run the bot (the default)", run.run),
    "doctor": ("check settings, model, disk and libraries", doctor.doctor),
    "providers": ("show which provider serves which recipe", providers.providers),
    "models": ("fetch the model of the embedded engine", models.models),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m bot", description=__doc__)
    parser.set_defaults(command="run")
    subparsers = parser.add_subparsers(title="commands", dest="command", metavar="")
    for name, (summary, _) in COMMANDS.items():
        subparsers.add_parser(name, help=summary, description=summary)
    chosen = parser.parse_args(arguments).command or "run"
    console = Console(stderr=True)
    try:
        return COMMANDS[chosen][1](load_settings(), console)
    except SettingsError as exc:
        print(exc, file=sys.stderr)
        return EXIT_SETTINGS
    except (ModelUnavailable, DataDirBusy, UnknownDatabase) as exc:
        print(exc, file=sys.stderr)
        return EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
