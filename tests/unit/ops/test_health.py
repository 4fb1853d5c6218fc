"""Health checks try what the bot needs, and report persistent failures less and less often."""

import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ops.health import LONGEST_SILENCE_S, LOOK_EVERY_S, Health
from storage.database.connection import Database
from storage.files.data_dir import DataDir
from tests.support.databases import open_database
from tests.support.fakes import FakeClock


class Watched:
    def __init__(self, root: Path, db: Database) -> None:
        self.data = DataDir(root)
        self.clock = FakeClock()
        self.is_online = True
        self.health = Health(
            db=db, data=self.data, is_online=lambda: self.is_online, clock=self.clock
        )

    async def looks(self, seconds: float) -> None:
        """Run the checks that the bot would make in that time."""
        for _ in range(int(seconds / LOOK_EVERY_S)):
            self.clock.move(seconds=LOOK_EVERY_S)
            await self.health.look()


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    data = DataDir(tmp_path)
    data.create()
    db = await open_database(data.database, Database, busy_timeout_s=0.05)
    yield Watched(tmp_path, db)
    await db.close()


async def test_all_is_well_where_store_and_files_can_be_written(watched: Watched) -> None:
    assert await watched.health.check() == {"store": True, "files": True, "discord": True}
    watched.is_online = False
    assert await watched.health.check() == {"store": True, "files": True, "discord": False}


async def test_deleted_database_is_not_well_and_said_with_its_path(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.data.database.unlink()
    assert not (await watched.health.check())["store"]
    await watched.health.look()
    assert f"{watched.data.database} is no longer the file that was opened" in caplog.text


async def test_folder_that_cannot_be_written_is_not_well(watched: Watched) -> None:
    shutil.rmtree(watched.data.jobs)
    watched.data.jobs.write_text("in the way")
    assert not (await watched.health.check())["files"]


async def test_a_look_is_shared_by_all_who_ask_within_seconds(watched: Watched) -> None:
    assert (await watched.health.check())["store"]
    watched.data.database.unlink()
    assert (await watched.health.check())["store"]
    watched.clock.move(seconds=6)
    assert not (await watched.health.check())["store"]


async def test_what_stays_broken_is_repeated_ever_more_seldom_until_it_works(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    aside = watched.data.database.with_name("aside.db")
    watched.data.database.rename(aside)
    with caplog.at_level(logging.INFO, logger="bot.ops.health"):
        await watched.looks(LONGEST_SILENCE_S)
        first_hour = len(caplog.records)
        await watched.looks(3 * LONGEST_SILENCE_S)
        assert 5 <= first_hour <= 9
        assert len(caplog.records) - first_hour <= 4
        aside.rename(watched.data.database)
        await watched.looks(2 * LOOK_EVERY_S)
    assert [each.getMessage() for each in caplog.records].count("the store can be used again") == 1
