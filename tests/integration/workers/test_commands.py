"""`worker` and `doctor` as commands, on a worker's machine."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.integration.workers.farm import Farm
from tests.support.worker_role_process import ROOT

POSTGRES = {"STEMCORD_DATABASE_URL": "postgresql://stemcord@127.0.0.1:9/stemcord"}


async def run(home: Path, *words: str, **settings: str) -> tuple[int, str]:
    """Run a command in a folder without `.env`, and return its exit status and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *words,
        cwd=home,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "STEMCORD_OPS_ADDRESS": "",
            **settings,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(120):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "STEMCORD_DATABASE_URL"),
        ({"STEMCORD_DATABASE_URL": "mysql://here/db"}, "STEMCORD_DATABASE_URL"),
        ({"STEMCORD_DATABASE_URL": "postgresql://%zz"}, "STEMCORD_DATABASE_URL"),
        (POSTGRES, "STEMCORD_OBJECT_STORE"),
        ({**POSTGRES, "STEMCORD_OBJECT_STORE": "stems"}, "STEMCORD_OBJECT_STORE"),
        (
            {
                **POSTGRES,
                "STEMCORD_OBJECT_STORE": "s3://stems",
                "AWS_ENDPOINT": "http://plain.example",
            },
            "STEMCORD_OBJECT_STORE",
        ),
    ],
)
async def test_a_worker_without_its_settings_names_the_one_that_is_missing(
    tmp_path: Path, settings: dict[str, str], name: str
):
    status, said = await run(tmp_path, "worker", **settings)
    assert status == 2
    assert said.startswith(f"{name}: ")
    assert len(said.splitlines()) == 1


async def test_a_worker_names_misspelt_settings_and_how_to_get_a_model(tmp_path: Path):
    settings = {
        **POSTGRES,
        "STEMCORD_OBJECT_STORE": "file:///nowhere",
        "STEMCORD_STOP_GRACE": "a secret",
    }
    status, said = await run(tmp_path, "worker", **settings)
    assert status == 1
    misspelt, last = said.splitlines()
    assert misspelt.endswith(
        "STEMCORD_STOP_GRACE is not a setting and is ignored; STEMCORD_STOP_GRACE_S is one"
    )
    assert "`python -m bot models` fetches it" in last


async def test_doctor_examines_a_machine_without_a_token_as_a_worker(farm: Farm, tmp_path: Path):
    settings = {
        "STEMCORD_DATABASE_URL": farm.url,
        "STEMCORD_OBJECT_STORE": f"file://{farm.home / 'store'}",
        "STEMCORD_DATA_DIR": str(tmp_path / "data"),
        "STEMCORD_DEVICE": "cuda",
    }
    status, said = await run(tmp_path, "doctor", **settings)
    assert status == 1
    assert "FAIL  STEMCORD_DEVICE is cuda, and there is no interpreter" in said
    assert "so this is checked as a worker" in said
    assert "ok    PostgreSQL" in said
    assert "note  This user may read" in said
    assert "DISCORD_TOKEN: expected" not in said
