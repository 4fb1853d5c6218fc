"""Databases at the newest version, copied from a database that is migrated once per run."""

import tempfile
from pathlib import Path
from typing import TypeVar

from storage.database.connection import Database

_D = TypeVar("_D", bound=Database)

_migrated: list[bytes] = []


async def open_database(path: Path, kind: type[_D], *, busy_timeout_s: float = 1.0) -> _D:
    """Open the database at this path, or create it, without waiting for the disk."""
    if not path.exists():
        path.write_bytes(await _template())
    return await kind.open(path, durable=False, busy_timeout_s=busy_timeout_s)


async def _template() -> bytes:
    if not _migrated:
        with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
            path = Path(folder) / "template.db"
            await (await Database.open(path, durable=False)).close()
            _migrated.append(path.read_bytes())
    return _migrated[0]
