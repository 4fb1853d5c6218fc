"""`move`: copies a stopped SQLite installation into an empty PostgreSQL database."""

import asyncio

from rich.console import Console

from bot.cli.commands.database_commands import audit
from bot.cli.stores import database_address
from bot.config import Settings, SettingsError
from storage.database.opening import PostgresUrl
from storage.files.data_dir import DataDir


def move(settings: Settings, console: Console) -> int:
    """Copy the database, then audit the copy; return 1 if an invariant is broken in it.

    The bot must not be running. Raises SettingsError, DataUnusable (DataDirBusy included),
    UnknownDatabase, SnapshotFailed and StoreUnavailable, with nothing changed.
    """
    address = database_address(settings)
    if not isinstance(address, PostgresUrl):
        raise SettingsError(
            "STEMCORD_DATABASE_URL: expected the address of the PostgreSQL database to move to"
        )
    from storage.upkeep.database_move import move_database

    data = DataDir(settings.data_dir)
    with data.lock():
        moved = asyncio.run(move_database(data.database, address.secret))
    console.print(
        f"{moved.rows:,} rows of {moved.tables} tables are copied to STEMCORD_DATABASE_URL. "
        f"{data.database} stays as it is, and is no longer used.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return audit(settings, console)
