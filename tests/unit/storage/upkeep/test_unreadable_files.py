"""The audit of SQLite files that are damaged, missing, or of another version."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage.database.schema import UnknownDatabase, migrations
from tests.unit.storage.upkeep.evidence import Evidence, collect


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return asyncio.run(collect(tmp_path))


def test_a_damaged_file_is_told_as_that_and_nothing_else(evidence: Evidence):
    with closing(sqlite3.connect(evidence.database)) as conn:
        [page] = conn.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'events_of_job'"
        ).fetchone()
        [size] = conn.execute("PRAGMA page_size").fetchone()
    with evidence.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\0" * size)
    [finding] = evidence.audit()
    assert (finding.claim, finding.is_good) == ("the database file is whole", False)


def test_an_older_schema_is_refused_with_what_to_do(evidence: Evidence):
    evidence.plant("PRAGMA user_version = 0")
    with pytest.raises(UnknownDatabase, match="start the bot once"):
        evidence.audit()


def test_a_newer_schema_is_refused(evidence: Evidence):
    evidence.plant(f"PRAGMA user_version = {len(migrations()) + 1}")
    with pytest.raises(UnknownDatabase, match="knows only up to"):
        evidence.audit()


def test_nothing_to_read_is_said_in_one_line(tmp_path: Path):
    with pytest.raises(UnknownDatabase, match=f"no database to read at {tmp_path}"):
        Evidence(tmp_path).audit()
    assert list(tmp_path.iterdir()) == []
