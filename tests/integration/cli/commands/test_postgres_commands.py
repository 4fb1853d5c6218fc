"""The operator's commands with STEMCORD_DATABASE_URL."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import main
from bot.cli.commands.database_checks import check_database
from bot.cli.version import our_version
from bot.config import load_settings
from sandbox.cluster.database_server import programs_folder
from storage.database.opening import PostgresUrl, open_database
from storage.groups.group_lock import PostgresGroupLock
from storage.stores.job_store import JobStore
from storage.stores.meta import LINK_KEY, Meta
from storage.work_queue.living_workers import LivingWorkers, WorkerRow
from tests.support.domain_factories import a_job

SECRET = "hunter2hunter2"
WITHOUT_PSYCOPG = """
import sys
sys.modules["psycopg"] = None
from bot.__main__ import main
sys.exit(main(["audit"]))
"""


@pytest.fixture
def url(postgres_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with one job, named in the settings."""
    for name in list(os.environ):
        if name.startswith(("STEMCORD_", "DISCORD_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEMCORD_DATA_DIR", str(tmp_path / "data"))
    with postgres_server.database() as address:
        # The server lets everyone in, so any password will do.
        with_password = address.replace("stemcord@", f"stemcord:{SECRET}@")
        monkeypatch.setenv("STEMCORD_DATABASE_URL", with_password)
        asyncio.run(add_a_job(address))
        yield with_password


async def add_a_job(url: str) -> None:
    db = await open_database(PostgresUrl(url))
    await JobStore(db=db).add(a_job(), max_active=9)
    await Meta(db=db).secret(LINK_KEY, 32)
    await db.close()


async def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    db = await open_database(PostgresUrl(url))
    found = [tuple(row) for row in await db.read(query)]
    await db.close()
    return found


def test_audit_looks_at_the_database_and_at_the_files(url: str, capsys: pytest.CaptureFixture[str]):
    assert main(["audit"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "ok      1  no work before its acknowledgement (1 jobs)"
    assert not Path("data", "stemcord.db").exists()
    Path("data", "jobs", "stray").mkdir(parents=True)
    assert main(["audit"]) == 1


def test_providers_reads_what_was_spent_there(url: str, capsys: pytest.CaptureFixture[str]):
    assert main(["providers"]) == 0
    assert "Submitted today: 0 min" in capsys.readouterr().out


def test_providers_names_the_workers_that_take_audio_tasks(
    url: str, capsys: pytest.CaptureFixture[str]
):
    asyncio.run(add_workers(url))
    assert main(["providers"]) == 0
    said = capsys.readouterr().out
    assert "near: 3 audio tasks at once\n" in said
    assert "old: 1 audio tasks at once, for bots of version 0.0.9 only\n" in said
    assert "quiet" not in said


async def add_workers(url: str) -> None:
    db = await open_database(PostgresUrl(url))
    workers = LivingWorkers(db=db)
    for name, version, slots in (
        ("near", our_version(), 3),
        ("old", "0.0.9", 1),
        ("quiet", our_version(), 0),
    ):
        row = WorkerRow(
            id=name, name=name, version=version, models="[]", slots=0, audio_slots=slots,
            device="cpu",
        )  # fmt: skip
        await workers.arrive(row)
    await db.close()


def test_what_backup_and_restore_print_brings_every_row_back(
    url: str,
    postgres_server: Any,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    before = asyncio.run(rows(url, "SELECT id, url, state FROM jobs"))
    assert main(["backup"]) == 1
    [dump] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("pg_")]
    assert main(["restore", "stemcord.dump"]) == 1
    said = capsys.readouterr().err.splitlines()
    [restore] = [line for line in said if line.startswith("pg_")]
    assert SECRET not in dump + restore

    def run(line: str, address: str) -> None:
        path = f"{programs}:{os.environ['PATH']}"
        environment = {"PATH": path, "STEMCORD_DATABASE_URL": address}
        subprocess.run(["/bin/sh", "-c", line], env=environment, check=True)

    run(dump, url)
    with postgres_server.blank() as elsewhere:
        run(restore, elsewhere)
        assert asyncio.run(rows(elsewhere, "SELECT id, url, state FROM jobs")) == before
        run(restore, elsewhere)  # even over existing data
        assert asyncio.run(rows(elsewhere, "SELECT id, url, state FROM jobs")) == before
        monkeypatch.setenv("STEMCORD_DATABASE_URL", elsewhere)
        assert main(["audit"]) == 0


def test_links_are_renewed_unless_a_bot_runs(url: str, capsys: pytest.CaptureFixture[str]):
    key = f"SELECT value FROM meta WHERE key = '{LINK_KEY}'"
    before = asyncio.run(rows(url, key))

    async def while_a_bot_runs() -> int:
        lock = PostgresGroupLock(url)
        assert await lock.try_once()
        try:
            return await asyncio.to_thread(main, ["renew-links"])
        finally:
            await lock.close()

    assert asyncio.run(while_a_bot_runs()) == 1
    assert "Another process is the bot of this database" in capsys.readouterr().err
    assert asyncio.run(rows(url, key)) == before
    assert main(["renew-links"]) == 0
    assert asyncio.run(rows(url, key)) != before


def test_doctor_names_the_server_without_its_password(url: str):
    [found] = check_database(load_settings())
    assert found.is_good
    assert found.what.startswith("PostgreSQL 1")
    assert SECRET not in found.what


def test_doctor_says_why_the_server_cannot_be_used(monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("STEMCORD_DATABASE_URL", f"postgresql://me:{SECRET}@127.0.0.1:1/stemcord")
    [found] = check_database(load_settings())
    assert (found.is_good, found.is_fatal) == (False, True)
    assert "127.0.0.1" in found.what
    assert SECRET not in found.what


def test_a_server_that_is_away_is_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("STEMCORD_DATABASE_URL", f"postgresql://me:{SECRET}@127.0.0.1:1/stemcord")
    assert main(["audit"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert SECRET not in said


@pytest.mark.parametrize(
    "wrong", ["mysql://me@host/db", "stemcord", "postgresql://host:port:x/a b"]
)
def test_a_misspelt_address_is_a_wrong_setting(
    url: str, wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("STEMCORD_DATABASE_URL", wrong)
    assert main(["audit"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("STEMCORD_DATABASE_URL: expected an address such as postgresql://")
    assert wrong not in said


def test_an_option_that_the_server_does_not_know_is_a_wrong_setting(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("STEMCORD_DATABASE_URL", f"postgresql://me:{SECRET}@host/db?no_such=1")
    assert main(["audit"]) == 2
    assert SECRET not in capsys.readouterr().err


def test_without_the_packages_the_setting_is_one_line():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PSYCOPG],
        env={"PATH": os.environ["PATH"], "STEMCORD_DATABASE_URL": "postgresql://me@host/db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("STEMCORD_DATABASE_URL: expected the packages for PostgreSQL with it;")


def test_the_default_imports_nothing_of_postgresql():
    code = (
        "import sys; from bot.cli import run, command_line; "
        "sys.exit(any(name.startswith('psycopg') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_form_of_the_password_is_a_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STEMCORD_DATABASE_URL", "postgresql://me:p%40ss%2Fw0rd@host/db")
    secrets = load_settings(env_file=None).secrets()
    assert {"postgresql://me:p%40ss%2Fw0rd@host/db", "p%40ss%2Fw0rd", "p@ss/w0rd"} <= set(secrets)


@pytest.fixture
def programs(postgres_server: Any) -> Path:
    """The folder of pg_dump and pg_restore."""
    return programs_folder()
