"""The cluster's processes are started again, unless their settings are wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.bot_process import Program
from sandbox.cluster import members as of_cluster
from sandbox.cluster.members import Member, Members, NotStarted, worker

SLEEP = "import time; print('up', file=sys.stderr, flush=True); time.sleep(60)"


def member(home: Path, code: str, name: str = "worker-a") -> Member:
    log = home / f"{name}.log"
    program = Program("-c", f"import sys\n{code}", environment={}, log=log)
    return Member(name=name, role="worker", program=program, log=log, ops_port=1)


@asynccontextmanager
async def running(*found: Member) -> AsyncIterator[Members]:
    members = Members()
    members.all += found
    task = asyncio.create_task(members.run())
    try:
        yield members
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await members.stop()


async def starts(found: Member, times: int) -> None:
    async with asyncio.timeout(20):
        while not found.log.exists() or found.log.read_text().count("up") < times:
            await asyncio.sleep(0.02)


async def test_a_killed_process_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(of_cluster, "RESTART_AFTER_S", 0.05)
    found = member(tmp_path, SLEEP)
    async with running(found) as members:
        await starts(found, 1)
        await members.kill("worker-a")
        await starts(found, 2)
        with pytest.raises(KeyError):
            await members.kill("worker-z")
    assert not found.program.is_running


async def test_a_process_with_wrong_settings_ends_all(tmp_path: Path):
    members = Members()
    wrong = member(tmp_path, "sys.exit(2)", "bot-0")
    wrong.log.write_text("STEMCORD_SHARDS: expected 0/2\n")
    members.all += [wrong, member(tmp_path, SLEEP)]
    with pytest.raises(NotStarted, match="bot-0: STEMCORD_SHARDS: expected 0/2"):
        async with asyncio.timeout(20):
            await members.run()
    await members.stop()


async def test_a_worker_gets_no_token_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DISCORD_TOKEN", "a-token")
    monkeypatch.setenv("FINEVOICE_API_KEY", "a-key")
    found = worker("worker-a", home=tmp_path, ops_port=1, shared={"SHARED": "yes"})
    assert found.program.environment["SHARED"] == "yes"
    assert not {"a-token", "a-key"} & set(found.program.environment.values())
