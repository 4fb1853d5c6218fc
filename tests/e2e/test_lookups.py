"""Stopping during a hanging DNS lookup, which cannot be cancelled."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.e2e.test_settings import BARE, REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

HANGING_LOOKUPS = """
import runpy, socket, threading

def getaddrinfo(*_, **__):
    print("asked", flush=True)
    threading.Event().wait()

socket.getaddrinfo = getaddrinfo
runpy.run_module("bot", run_name="__main__")
"""


async def test_stop_does_not_wait_for_a_hanging_lookup(tmp_path: Path) -> None:
    settings = {
        "DISCORD_TOKEN": "a.b.c",
        "DISCORD_API_BASE": "http://discord.invalid/api/v10",
        "STEMCORD_DATA_DIR": str(tmp_path / "data"),
        "STEMCORD_OPS_ADDRESS": "",
        "STEMCORD_PROVIDERS": "finevoice",
        "FINEVOICE_API_KEY": "key",
    }
    bot = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HANGING_LOOKUPS),
        cwd=tmp_path,
        env=BARE | {"PYTHONPATH": str(REPOSITORY)} | settings,
        stdout=PIPE,
    )
    try:
        assert bot.stdout is not None
        assert await bot.stdout.readline() == b"asked\n"
        bot.terminate()
        async with asyncio.timeout(60):  # the lookup never ended
            assert await bot.wait() == 0
    finally:
        if bot.returncode is None:
            bot.kill()
            await bot.wait()
