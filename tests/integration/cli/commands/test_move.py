"""`move`: its output, exit statuses and refusals."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import main
from bot.cli.opening.object_stores import open_objects
from bot.cli.opening.stores import open_store
from bot.config import load_settings
from bot.domain.clock import SystemClock
from storage.database.opening import PostgresUrl
from storage.files.data_dir import DataDir
from tests.unit.storage.upkeep.evidence import collect

SECRET = "hunter2hunter2"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    """A data directory with a job in every state, named in the settings."""
    for name in list(os.environ):
        if name.startswith(("STEMCORD_", "DISCORD_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEMCORD_DATA_DIR", "data")
    data = DataDir(tmp_path / "data")
    data.create()
    asyncio.run(collect(data.root))
    # The real clock is far past the jobs' times, so retention would have removed their files.
    monkeypatch.setenv("STEMCORD_KEEP_RESULTS_HOURS", "1000000")
    return data


@pytest.fixture
def url(postgres_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database without any table, named in the settings with a password."""
    with postgres_server.blank() as address:
        monkeypatch.setenv(
            "STEMCORD_DATABASE_URL", address.replace("stemcord@", f"stemcord:{SECRET}@")
        )
        yield address


def test_the_copy_is_audited_and_a_second_move_refused(
    data: DataDir, url: str, capsys: pytest.CaptureFixture[str]
):
    before = data.database.read_bytes()
    assert main(["move"]) == 0
    said = capsys.readouterr().err
    first, *findings = said.splitlines()
    assert "rows of" in first
    assert str(data.database.relative_to(Path.cwd())) in first
    assert all(line.startswith("ok") for line in findings)
    assert SECRET not in said
    assert data.database.read_bytes() == before

    assert main(["move"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("The PostgreSQL database is not empty")


def test_a_copy_that_breaks_an_invariant_fails(data: DataDir, url: str):
    (data.jobs / "stray").mkdir()
    assert main(["move"]) == 1


def test_a_running_bot_is_refused(data: DataDir, url: str, capsys: pytest.CaptureFixture[str]):
    with data.lock():
        assert main(["move"]) == 1
    assert "Another Stemcord process is using" in capsys.readouterr().err
    assert main(["move"]) == 0


def test_without_an_address_of_postgresql_the_setting_is_named(
    data: DataDir, capsys: pytest.CaptureFixture[str]
):
    assert main(["move"]) == 2
    assert capsys.readouterr().err.startswith("STEMCORD_DATABASE_URL: expected the address of")


def test_without_an_installation_there_is_nothing_to_move(
    data: DataDir, url: str, capsys: pytest.CaptureFixture[str]
):
    shutil.rmtree(data.root)
    assert main(["move"]) == 1
    assert capsys.readouterr().err.startswith("There is no database to read at")


def test_kept_files_go_into_the_store_and_an_attempt_that_fails_can_be_repeated(
    data: DataDir,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("STEMCORD_OBJECT_STORE", f"file://{tmp_path}/shared")
    assert main(["move"]) == 1  # the folder does not exist
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "shared").mkdir()
    masters = sorted(data.jobs.glob("*/masters/*"))
    assert masters
    assert main(["move"]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("The files of ")
    for path in masters:
        there = tmp_path / "shared" / path.relative_to(data.root)
        assert there.read_bytes() == path.read_bytes()
    # A second move is refused before it puts files into the store.
    before = sorted((tmp_path / "shared").rglob("*"))
    (data.jobs / "ready" / "linked").mkdir(exist_ok=True)
    (data.jobs / "ready" / "linked" / "late.mp3").write_bytes(b"late")
    assert main(["move"]) == 1
    assert sorted((tmp_path / "shared").rglob("*")) == before


async def test_the_database_there_owns_the_store(
    data: DataDir, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("STEMCORD_OBJECT_STORE", f"file://{tmp_path}/shared")
    assert await asyncio.to_thread(main, ["move"]) == 0
    objects = open_objects(load_settings())
    store = await open_store(data, SystemClock(), PostgresUrl(url), objects)
    await store.db.close()  # a store of another database would have been refused
