"""`doctor`'s checks of the database: SQLite's version, or the PostgreSQL server."""

import sqlite3
from collections.abc import Iterator

from bot.cli.commands.machine_checks import CheckResult
from bot.cli.opening.audio_link import AUDIO
from bot.cli.opening.stores import database_address
from bot.config import Settings, SettingsError
from bot.domain.errors import StoreUnavailable
from storage.database.opening import PostgresUrl

LITESTREAM_NEEDS = (3, 51, 3)
"""Older SQLite can corrupt a WAL that two processes checkpoint: sqlite.org/wal.html#walresetbug."""


def check_database(settings: Settings) -> Iterator[CheckResult]:
    """Check the database that the settings name; connects to it if it is on a server."""
    try:
        address = database_address(settings)
    except SettingsError as exc:
        yield CheckResult(False, str(exc))
        return
    if isinstance(address, PostgresUrl):
        yield from _server(address.secret, settings)
        return
    has_wal_fix = sqlite3.sqlite_version_info >= LITESTREAM_NEEDS
    advice = "may run beside Litestream" if has_wal_fix else "do not run Litestream beside it"
    yield CheckResult(has_wal_fix, f"SQLite {sqlite3.sqlite_version}: {advice}", is_fatal=False)


def _server(url: str, settings: Settings) -> Iterator[CheckResult]:
    from storage.database.postgres_report import report_on
    from storage.database.worker_rights import report_on_worker

    try:
        if settings.is_for_worker:
            report = report_on_worker(url, takes_audio=AUDIO in settings.worker_tasks)
        else:
            report = report_on(url)
    except StoreUnavailable as exc:
        yield CheckResult(False, f"PostgreSQL cannot be used: {exc}")
        return
    yield CheckResult(True, f"PostgreSQL {report.version} answers at {report.place}")
    yield from (CheckResult(False, problem) for problem in report.problems)
    yield from (CheckResult(False, note, is_fatal=False) for note in report.notes)
