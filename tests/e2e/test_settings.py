"""Settings that are wrong or missing: one line each, exit status 2, and nothing else."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sandbox.bot_process import environment
from sandbox.server import Sandbox
from tests.e2e.bot_harness import BotHarness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

REPOSITORY = Path(__file__).parents[2]
OURS = ("STEMCORD_", "DISCORD_", "AUDIOCLEANER_", "FINEVOICE_", "SOUNDVERSE_")
BARE = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


async def run_bot(folder: Path, settings: dict[str, str]) -> tuple[int | None, list[str]]:
    """Run a bot where there is no `.env`; return its exit status and what it said."""
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
