"""Opening a bot's store, with its messages and the copies that it keeps."""

import logging
import sqlite3
from datetime import timedelta

import pytest

from bot.cli.opening.stores import open_store
from bot.domain.errors import StoreUnavailable
from storage.database.connection import Database
from storage.database.schema import UnknownDatabase, migrations
from storage.files.data_dir import DataDir
from tests.support.fakes import FakeClock


@pytest.fixture
def data(tmp_path) -> DataDir:
    place = DataDir(tmp_path / "data")
    place.create()
    return place


async def test_new_database_is_a_warning_with_its_whole_path(
    data: DataDir, caplog: pytest.LogCaptureFixture
):
    clock = FakeClock()
    store = await open_store(data, clock)
    await store.db.close()
    assert store.made_at == clock.now()
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert str(data.database) in record.getMessage()

    caplog.clear()
    clock.move(days=1)
    again = await open_store(data, clock)
    await again.db.close()
    assert again.made_at == store.made_at
    assert caplog.records == []


async def test_database_is_copied_before_this_version_changes_it(
    data: DataDir, caplog: pytest.LogCaptureFixture
):
    await (await Database.open(data.database, steps=migrations()[:-1])).close()
    with caplog.at_level(logging.INFO):
        store = await open_store(data, FakeClock())
    await store.db.close()
    [copy] = data.backups.iterdir()
    assert f"the database before this version is kept as {copy}" in caplog.text


async def test_locked_store_is_waited_for_and_not_taken_for_a_broken_one(data: DataDir):
    store = await open_store(data, FakeClock())
    await store.db.close()
    other = sqlite3.connect(data.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await open_store(data, FakeClock())
    other.close()
    await (await open_store(data, FakeClock())).db.close()


async def test_file_of_another_program_is_refused_and_left_alone(data: DataDir):
    data.database.write_text("no database at all, but long enough for a header" * 9)
    before = data.database.read_bytes()
    with pytest.raises(UnknownDatabase):
        await open_store(data, FakeClock())
    assert data.database.read_bytes() == before


async def test_old_copies_of_restores_go(data: DataDir):
    clock = FakeClock()
    stamp = f"{clock.now() - timedelta(days=31):%Y%m%dT%H%M%SZ}"
    old = data.root / f"stemcord.db.before-restore-{stamp}"
    old.write_text("")
    await (await open_store(data, clock)).db.close()
    assert not old.exists()
