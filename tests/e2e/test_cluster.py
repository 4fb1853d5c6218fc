"""`make cluster`: every process starts, a song is delivered, and nothing is left behind."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.client import SandboxClient
from sandbox.errors import Json

pytestmark = [pytest.mark.e2e, pytest.mark.model, pytest.mark.timeout(300)]

WITHIN_S = 120.0


class Cluster:
    """The running program, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process, printed: str) -> None:
        self.process = process
        [self.base] = re.findall(r"Open (\S+)/ ", printed)
        self.folders = [
            Path(each) for each in set(re.findall(r"/tmp/(?:pg|stemcord-)\w+", printed))
        ]

    async def activity(self) -> Json:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.base}/sandbox/cluster") as found,
        ):
            answer: Json = await found.json()
            return answer

    async def until(self, accepts: Any) -> Json:
        async with asyncio.timeout(WITHIN_S):
            while not accepts(found := await self.activity()):
                await asyncio.sleep(0.2)
        return found


@pytest.fixture
async def cluster(postgres_server: object) -> AsyncIterator[Cluster]:
    del postgres_server  # skips the test where there is no PostgreSQL
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.cluster", "--port", "0"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    printed = ""
    async with asyncio.timeout(WITHIN_S):
        while "Ctrl+C" not in printed:
            printed += (await process.stdout.readline()).decode()
    yield Cluster(process, printed)
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def states(found: Json) -> dict[str, str]:
    return {each["name"]: each["state"] for each in found["processes"]}


async def test_a_song_passes_through_a_bot_and_a_worker_and_all_end(cluster: Cluster, song: Path):
    everyone = {
        "bot-0": "serving",
        "bot-1": "serving",
        "standby-0": "standby",
        "worker-a": "serving",
        "worker-b": "serving",
    }
    await cluster.until(lambda found: states(found) == everyone)
    async with SandboxClient(cluster.base, person="Ada", channel="stage-1") as ada:
        answer = await ada.command("split", file=song)
        await ada.wait_for(
            lambda message: message["id"] == answer["message_id"] and message["attachments"],
            timeout_s=WITHIN_S,
        )
        async with aiohttp.ClientSession() as http:
            await http.post(f"{cluster.base}/sandbox/cluster/bot-0/kill")
        found = await cluster.until(lambda found: states(found)["standby-0"] == "serving")
    [shown] = found["songs"]
    assert shown["bots"] == ["bot-1"]
    assert shown["workers"] in (["worker-a"], ["worker-b"])

    cluster.process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(cluster.process.wait(), WITHIN_S) == 0
    assert len(cluster.folders) == 2
    assert not any(folder.exists() for folder in cluster.folders)
