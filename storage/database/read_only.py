"""Read-only access to an SQLite database that a running bot may be using."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from storage.database.protocols import Parameters, Row
from storage.database.schema import APPLICATION_ID, NewerDatabase, UnknownDatabase, migrations
from storage.files.ownership import why_unusable

BUSY_TIMEOUT_S = 5.0
OLDEST = 1

# Each row reports a broken reference.
_LOST_REFERENCES = "SELECT \"table\" || ' row ' || rowid FROM pragma_foreign_key_check"


class SqliteReader:
    """A `Reader` of a connection made by `read_only`."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    def rows(self, sql: str, parameters: Parameters = ()) -> Sequence[Row]:
        """Return all rows of one query."""
        return self._conn.execute(sql, parameters).fetchall()  # type: ignore[arg-type] # as for aiosqlite

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see the same committed state."""
        self._conn.execute("BEGIN")
        try:
            yield
        finally:
            self._conn.execute("ROLLBACK")

    def pages(self) -> int:
        """Return the number of pages in the file."""
        [pages] = self._conn.execute("PRAGMA page_count").fetchone()
        return int(pages)

    def faults(self) -> list[str]:
        """Return the problems that SQLite's integrity check finds in the file."""
        return faults(self._conn)

    def lost_references(self) -> list[str]:
        """Return the rows that refer to a row that does not exist."""
        return [str(row[0]) for row in self._conn.execute(_LOST_REFERENCES)]


@contextmanager
def read_only(path: Path, *, oldest: int = OLDEST) -> Iterator[sqlite3.Connection]:
    """Open the database for reading, whether or not a bot is using it.

    Raises UnknownDatabase if it is missing, unreadable, not Stemcord's, newer than this version
    (NewerDatabase) or has a schema older than `oldest`.
    """
    if path.exists() and not os.access(path, os.R_OK):
        raise UnknownDatabase(why_unusable(path))
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        conn = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    except sqlite3.OperationalError as exc:
        raise UnknownDatabase(f"There is no database to read at {path}.") from exc
    with closing(conn):
        conn.row_factory = sqlite3.Row
        _check(conn, path, oldest)
        yield conn


def faults(conn: sqlite3.Connection) -> list[str]:
    """Return the problems that SQLite's integrity check finds in the file."""
    try:
        found = [str(row[0]) for row in conn.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as exc:
        return [str(exc)]
    return [] if found == ["ok"] else found


def _check(conn: sqlite3.Connection, path: Path, oldest: int) -> None:
    newest = len(migrations())
    try:
        [application_id] = conn.execute("PRAGMA application_id").fetchone()
        [version] = conn.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as exc:
        raise UnknownDatabase(f"{path} cannot be read as a database: {exc}.") from exc
    if application_id != APPLICATION_ID:
        raise UnknownDatabase(f"{path} is not a database of Stemcord's.")
    if version > newest:
        raise NewerDatabase(
            f"{path} has schema version {version}, but this Stemcord knows only up to {newest}. "
            "Run the newer version, or restore a copy made by this one."
        )
    if version < oldest:
        raise UnknownDatabase(
            f"{path} has schema version {version}; start the bot once to bring it to {newest}."
        )
