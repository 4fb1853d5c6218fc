"""Runs several bots on one PostgreSQL database, each with a shard group, in one sandbox."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from sandbox.bot_process import BotProcess
from sandbox.client import SandboxClient
from sandbox.errors import Json
from sandbox.server import Sandbox
from tests.e2e import reading

PATIENCE_S = 90.0
LOOK_EVERY_S = 0.05
SETTINGS = {
    "STEMCORD_PROVIDERS": "finevoice",
    "STEMCORD_POLL_MIN_S": "0.1",
    "STEMCORD_POLL_MAX_S": "0.3",
    "STEMCORD_QUOTA_MINUTES": "500",
    "STEMCORD_MAX_ACTIVE_JOBS": "30",
}


@dataclass(slots=True, kw_only=True)
class Bots:
    """The sandbox, the database, and the bots by name."""

    sandbox: Sandbox
    url: str
    home: Path
    stack: AsyncExitStack
    settings: Mapping[str, str] = field(default_factory=dict)
    processes: dict[str, BotProcess] = field(default_factory=dict)

    async def start(self, name: str, shards: str, **settings: str) -> BotProcess:
        """Start a bot with its own data directory and the shared object store."""
        process = BotProcess(
            self.sandbox,
            data_dir=self.home / name,
            log=self._log_file(name),
            vendors=True,
            settings={
                **SETTINGS,
                "STEMCORD_DATABASE_URL": self.url,
                "STEMCORD_SHARDS": shards,
                "STEMCORD_OBJECT_STORE": f"file://{self.home}/objects",
                **self.settings,
                **settings,
            },
        )
        self.processes[name] = await self.stack.enter_async_context(process)
        return process

    async def serving(self, *names: str) -> None:
        """Wait until these bots have resumed their jobs and are connected."""
        for name in names:
            await self.until(lambda name=name: "has connected to Gateway" in self.log(name))  # type: ignore[misc] # bound here

    async def until(self, is_so: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not is_so():
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise AssertionError(f"timed out; the logs:\n{self.logs()}") from None

    async def until_processing(self, jobs: int) -> None:
        """Wait until this many jobs are known to be, or to have been, at the vendor."""
        query = "SELECT count(*) FROM attempts WHERE ref IS NOT NULL"
        async with asyncio.timeout(PATIENCE_S):
            while await self.rows(query) != [(jobs,)]:
                await asyncio.sleep(LOOK_EVERY_S)

    def freeze(self, name: str) -> None:
        os.kill(self.processes[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        os.kill(self.processes[name].pid, signal.SIGCONT)

    def log(self, name: str) -> str:
        path = self._log_file(name)
        return path.read_text() if path.exists() else ""

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.log(name)}" for name in self.processes)

    async def user(self, channel: str, *, person: str = "Ada") -> SandboxClient:
        client = SandboxClient(self.sandbox.base_url, person=person, channel=channel)
        return await self.stack.enter_async_context(client)

    async def guest(self, number: int, channel: str) -> SandboxClient:
        """Add a user to every server."""
        world = self.sandbox.world
        added = world.add_user(f"Guest {number}")
        for guild in world.guilds.values():
            guild.members[added.id] = ()
        return await self.user(channel, person=added.name)

    async def stems(self, user: SandboxClient, answer: Json) -> Sequence[Json]:
        """Wait for the end of a split, and return the stems in its reply."""
        try:
            reply = await user.wait_for(
                lambda message: message["id"] == answer["message_id"] and reading.is_over(message),
                timeout_s=PATIENCE_S,
            )
        except TimeoutError:
            raise AssertionError(f"the reply never came; the logs:\n{self.logs()}") from None
        return reading.stems(reply)

    async def rows(self, query: str) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as conn:
            return await (await conn.execute(query.encode())).fetchall()

    def _log_file(self, name: str) -> Path:
        return self.home / f"{name}.log"


async def health(port: int) -> tuple[int, Json]:
    """Return the status and the content of a bot's `/healthz`."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}/healthz") as answer,
    ):
        return answer.status, await answer.json()


@asynccontextmanager
async def open_bots(url: str, home: Path, *, shards: int = 2) -> AsyncIterator[Bots]:
    """Run a sandbox for the duration of the block, and the bots that are started in it."""
    async with AsyncExitStack() as stack:
        (home / "objects").mkdir()
        sandbox = await stack.enter_async_context(Sandbox(shards=shards))
        sandbox.interactions.answer_within_s = PATIENCE_S
        sandbox.vendors.finevoice.behaviour.latency_s = 0.5
        yield Bots(sandbox=sandbox, url=url, home=home, stack=stack)
