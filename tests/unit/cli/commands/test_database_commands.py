"""The database commands' output, files and exit statuses."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from bot.__main__ import main
from storage.database.connection import Database
from storage.files.data_dir import DataDir
from storage.stores.job_store import JobStore
from storage.stores.meta import LINK_KEY, Meta
from storage.upkeep.snapshots import back_up
from tests.support.databases import open_database
from tests.support.domain_factories import a_job


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    """A data directory with one job, named in the settings."""
    for name in list(os.environ):
        if name.startswith(("STEMCORD_", "DISCORD_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEMCORD_DATA_DIR", "data")
    data = DataDir(tmp_path / "data")
    data.create()
    asyncio.run(add_a_job(data))
    return data


async def add_a_job(data: DataDir) -> None:
    db = await open_database(data.database, Database)
    await JobStore(db=db).add(a_job(), max_active=9)
    await db.close()


def test_audit_prints_every_finding_and_succeeds(data: DataDir, capsys: pytest.CaptureFixture[str]):
    assert main(["audit"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "ok      1  no work before its acknowledgement (1 jobs)"
    assert all(line.startswith("ok") for line in lines)


def test_audit_fails_where_a_promise_is_broken(data: DataDir, capsys: pytest.CaptureFixture[str]):
    (data.jobs / "stray").mkdir()
    assert main(["audit"]) == 1
    assert "FAILED  7  no files without a job (1 folders): stray" in capsys.readouterr().err


def test_audit_drained_fails_while_a_job_is_on_its_way(
    data: DataDir, capsys: pytest.CaptureFixture[str]
):
    assert main(["audit", "--drained"]) == 1
    assert "FAILED  1  every job is over (1 jobs)" in capsys.readouterr().err


def test_without_a_database_each_command_is_one_line(
    data: DataDir, capsys: pytest.CaptureFixture[str]
):
    data.database.unlink()
    for command in (["audit"], ["backup"], ["restore", "nowhere.db"]):
        assert main(command) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_backup_goes_where_it_is_told_or_into_the_data(
    data: DataDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "shelf").mkdir()
    assert main(["backup"]) == 0
    assert main(["backup", "mine.db"]) == 0
    assert main(["backup", "shelf"]) == 0
    [default], [shelved] = data.backups.iterdir(), (tmp_path / "shelf").iterdir()
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        str(default),
        "mine.db",
        str(Path("shelf", shelved.name)),
    ]
    assert main(["backup", "mine.db"]) == 1


def test_restore_says_what_it_put_back_and_what_it_kept(
    data: DataDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    back_up(data.database, tmp_path / "copy.db")
    asyncio.run(add_a_job(data))
    assert main(["restore", "copy.db"]) == 0
    restored, kept = capsys.readouterr().err.splitlines()
    size_mib = (tmp_path / "copy.db").stat().st_size / 2**20
    assert restored.startswith(f"{data.database}: {size_mib:.1f} MiB, 1 jobs")
    assert kept.startswith(f"The database before is kept as {data.database}.before-restore-2")


def test_restore_is_refused_while_a_bot_holds_the_directory(
    data: DataDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    back_up(data.database, tmp_path / "copy.db")
    before = data.database.read_bytes()
    with data.lock():
        assert main(["restore", "copy.db"]) == 1
    assert "Another Stemcord process is using" in capsys.readouterr().err
    assert data.database.read_bytes() == before


def test_links_are_renewed_while_no_bot_runs(data: DataDir, capsys: pytest.CaptureFixture[str]):
    before = asyncio.run(link_key(data))
    assert main(["renew-links"]) == 0
    assert "have ended" in capsys.readouterr().err
    assert asyncio.run(link_key(data)) != before
    with data.lock():
        assert main(["renew-links"]) == 1
    assert "Another Stemcord process is using" in capsys.readouterr().err


async def link_key(data: DataDir) -> bytes:
    db = await open_database(data.database, Database)
    try:
        return await Meta(db=db).secret(LINK_KEY, 32)
    finally:
        await db.close()


@pytest.mark.parametrize("command", [["audit"], ["backup"], ["restore", "copy.db"]])
def test_file_where_the_data_should_be_is_one_line(
    data: DataDir, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
):
    back_up(data.database, tmp_path / "copy.db")
    shutil.rmtree(data.root)
    data.root.write_text("")
    assert main(command) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(data.root) in said
