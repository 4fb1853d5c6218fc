"""Failing or delayed starts: each prints one line, exits with a status and does nothing else."""

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.bot_process import environment
from sandbox.server import Sandbox
from storage.database.connection import Database
from storage.database.schema import migrations
from storage.files.data_dir import DataDir
from storage.upkeep.snapshots import copy_before_migration
from tests.e2e.bot_harness import PATIENCE_S, BotHarness
from tests.support.tls_servers import make_certificate, tls_front

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

REPOSITORY = Path(__file__).parents[2]
OURS = ("STEMCORD_", "DISCORD_", "AWS_", "AUDIOCLEANER_", "FINEVOICE_", "SOUNDVERSE_")
BARE = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


async def run_bot(folder: Path, settings: dict[str, str]) -> tuple[int | None, list[str]]:
    """Run a bot in a folder without `.env`, and return its exit status and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot"),
        cwd=folder,
        env=BARE | {"PYTHONPATH": str(REPOSITORY)} | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode().splitlines()


async def test_missing_token_is_one_line(tmp_path: Path) -> None:
    status, said = await run_bot(tmp_path, {})
    assert status == 2
    [line] = said
    assert line.startswith("DISCORD_TOKEN: expected the bot's token")
    assert list(tmp_path.iterdir()) == []


async def test_every_wrong_setting_is_named_in_a_line_without_its_value(tmp_path: Path) -> None:
    wrong = {
        "DISCORD_TOKEN": "spaces are not allowed",
        "STEMCORD_QUOTA_MINUTES": "plenty",
        "STEMCORD_QUOTA_PERIOD": "fortnight",
        "STEMCORD_MAX_DURATION_MINUTES": "-3",
    }
    status, said = await run_bot(tmp_path, wrong)
    assert status == 2
    assert sorted(line.partition(":")[0] for line in said) == sorted(wrong)
    assert not any(value in line for value in wrong.values() for line in said)


async def test_token_that_discord_refuses_is_told_without_a_traceback(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        settings = environment(sandbox, tmp_path / "data") | {"DISCORD_TOKEN": "not-the-token"}
        status, said = await run_bot(tmp_path, settings)
    assert status == 2
    assert said[-1] == "DISCORD_TOKEN: Discord does not accept it"
    assert not any("Traceback" in line or "not-the-token" in line for line in said)


async def test_second_bot_on_the_same_data_is_turned_away(
    harness: BotHarness, tmp_path: Path
) -> None:
    status, said = await run_bot(tmp_path, environment(harness.sandbox, harness.data_dir))
    assert status == 1
    assert str(harness.data_dir) in said[-1]
    assert not any("Traceback" in line for line in said)
    assert "3 of 3 min left" in await (await harness.guest()).quota()


async def start_bot(folder: Path, settings: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot"),
        cwd=folder,
        env=BARE | {"PYTHONPATH": str(REPOSITORY)} | settings,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def read_until(process: asyncio.subprocess.Process, words: str) -> list[str]:
    """Return the log up to the line with these words."""
    assert process.stderr is not None
    said: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while not said or words not in said[-1]:
            line = await process.stderr.readline()
            assert line, f"the bot ended:\n{''.join(said)}"
            said.append(line.decode())
    return said


async def test_data_and_what_is_written_there_are_for_this_user_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    async with Sandbox() as sandbox:
        process = await start_bot(tmp_path, environment(sandbox, data))
        said = await read_until(process, "ready;")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "stemcord.db").stat().st_mode) == 0o600
    assert any(f"a new and empty one is made at {data}/stemcord.db" in line for line in said)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")
async def test_certificates_named_in_the_file_count_for_discord_itself(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    (tmp_path / ".env").write_text(f"SSL_CERT_FILE={certificate.cert}\n")
    async with Sandbox() as sandbox, tls_front(sandbox.base_url, certificate) as url:
        sandbox.gateway.base_url = url
        settings = environment(sandbox, tmp_path / "data") | {
            "DISCORD_API_BASE": f"{url}/api/v10",
            **dict.fromkeys(("SSL_CERT_FILE", "SSL_CERT_DIR"), ""),
        }
        process = await start_bot(tmp_path, settings)
        await read_until(process, "has connected to Gateway")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_closed_terminal_is_a_stop_like_any_other(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        process = await start_bot(tmp_path, environment(sandbox, tmp_path / "data"))
        await read_until(process, "ready;")
        process.send_signal(signal.SIGHUP)
        assert await process.wait() == 0


async def test_start_waits_for_a_store_that_is_locked(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        settings = environment(sandbox, tmp_path / "data")
        DataDir(tmp_path / "data").create()
        db = await Database.open(tmp_path / "data" / "stemcord.db")
        await db.close()
        with closing(sqlite3.connect(tmp_path / "data" / "stemcord.db")) as other:
            other.isolation_level = None
            other.execute("BEGIN EXCLUSIVE")
            process = await start_bot(tmp_path, settings)
            await read_until(process, "the start waits for the database")
            other.execute("ROLLBACK")
        await read_until(process, "ready;")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_model_that_is_not_here_is_one_line_and_no_start(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        settings = environment(sandbox, tmp_path / "data")
        status, said = await run_bot(tmp_path, settings | {"STEMCORD_MODELS_DIR": str(tmp_path)})
    assert status == 1
    assert said[-1] == f"Spleeter-2 is not in {tmp_path}. `python -m bot models` fetches it."
    assert not any("Traceback" in line or "ready;" in line for line in said)


async def test_without_its_model_local_is_not_offered_and_the_rest_is(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        settings = environment(sandbox, tmp_path / "data", vendors=True)
        settings["STEMCORD_MODELS_DIR"] = str(tmp_path)
        process = await start_bot(tmp_path, settings)
        said = await read_until(process, "ready;")
        process.send_signal(signal.SIGTERM)
        await process.wait()
    errors = [line for line in said if " ERROR " in line]
    assert len(errors) == 1
    assert "local is left out" in errors[0]
    assert "`python -m bot models` fetches it" in errors[0]


async def test_address_in_use_is_one_line(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        taken = sandbox.base_url.removeprefix("http://")
        settings = environment(sandbox, tmp_path / "data") | {"STEMCORD_OPS_ADDRESS": taken}
        status, said = await run_bot(tmp_path, settings)
    assert status == 1
    assert said[-1].startswith(f"STEMCORD_OPS_ADDRESS: {taken} cannot be listened on")
    assert not any("Traceback" in line for line in said)


async def test_data_directory_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with Sandbox() as sandbox:
        status, said = await run_bot(tmp_path, environment(sandbox, tmp_path / "file" / "data"))
    assert status == 1
    [line] = said
    assert line.startswith(f"{tmp_path}/file is a file where a folder is needed; move it away")


async def test_misspelt_setting_is_a_line_at_the_start(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        settings = environment(sandbox, tmp_path / "data") | {"STEMCORD_QUOTA_MINUTE": "5"}
        process = await start_bot(tmp_path, settings)
        said = await read_until(process, "ready;")
        process.send_signal(signal.SIGTERM)
        await process.wait()
    assert any("STEMCORD_QUOTA_MINUTE is not a setting" in line for line in said)


async def test_database_of_a_newer_version_names_the_copy_made_before(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.create()
    await (await Database.open(data.database, steps=migrations()[:-1])).close()
    copy = copy_before_migration(data.database, data.backups, datetime.now(UTC))
    await (await Database.open(data.database)).close()
    with closing(sqlite3.connect(data.database)) as conn:
        conn.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    async with Sandbox() as sandbox:
        status, said = await run_bot(tmp_path, environment(sandbox, data.root))
    assert (status, copy is not None) == (1, True)
    assert said[-1].endswith(f"`python -m bot restore {copy.path}` puts it back.")  # type: ignore[union-attr] # checked above
    assert not any("Traceback" in line for line in said)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"STEMCORD_OBJECT_STORE": "stems"}, "STEMCORD_OBJECT_STORE: expected an address such as"),
        (
            {"STEMCORD_OBJECT_STORE": "s3://stems", "AWS_ENDPOINT": "s3.example"},
            "STEMCORD_OBJECT_STORE: AWS_ENDPOINT: expected a web address",
        ),
    ],
)
async def test_a_misspelt_object_store_is_one_line(
    tmp_path: Path, settings: dict[str, str], line: str
) -> None:
    status, said = await run_bot(tmp_path, {"DISCORD_TOKEN": "token", **settings})
    assert status == 2
    [only] = said
    assert only.startswith(line)
