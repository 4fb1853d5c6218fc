"""`doctor`: checks everything that a bot will need, and reports what would stop it."""

import asyncio
from collections.abc import Sequence

from rich.console import Console

from bot.audio.tools import AudioTools
from bot.cli.commands.database_checks import check_database
from bot.cli.commands.machine_checks import CheckResult, check_decoding, check_machine
from bot.cli.commands.network_checks import check_network
from bot.cli.commands.object_store_checks import check_object_store
from bot.cli.commands.studio_checks import check_studio
from bot.config import Settings


def doctor(settings: Settings, console: Console, *, audio: AudioTools | None = None) -> int:
    """Print each finding; return 1 if something would stop the bot from working."""
    findings = [*examine(settings), asyncio.run(check_decoding(audio or AudioTools()))]
    for finding in findings:
        mark = "ok  " if finding.is_good else "FAIL" if finding.is_fatal else "note"
        console.print(f"{mark}  {finding.what}", markup=False, highlight=False, soft_wrap=True)
    return 1 if any(not each.is_good and each.is_fatal for each in findings) else 0


def examine(settings: Settings) -> Sequence[CheckResult]:
    """Return the results of all checks except decoding.

    Calls each service that the settings name, the database's server and the object store. With the
    addresses that a worker needs but without a token, it checks the setup of a worker.
    """
    if settings.is_for_worker:
        return (
            CheckResult(
                True,
                "There is no DISCORD_TOKEN, so this is checked as a worker for "
                + " and ".join(sorted(settings.worker_tasks, reverse=True)),
            ),
            *check_machine(settings),
            *check_studio(settings),
            *check_database(settings),
            *check_object_store(settings),
        )
    return (
        *check_machine(settings),
        *check_studio(settings),
        *check_database(settings),
        *check_object_store(settings),
        *check_network(settings),
    )
