"""Runs several bots and workers on one database, each behind its own network."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import aiohttp
import psycopg

from sandbox.bot_process import BotProcess, Program
from sandbox.cluster.database_server import (
    CRASH_SAFE,
    USER,
    DatabaseServer,
    running_database_server,
)
from sandbox.errors import Json
from sandbox.run import free_port
from sandbox.server import Sandbox
from sandbox.simulated_users import SimulatedUsers
from storage.database import postgres_sessions
from storage.database.protocols import Row
from tests.support.black_hole import BlackHole, NoNamespaces, black_hole
from tests.support.silent_proxy import SilentProxy

DATABASE: Final = "stemcord"
LOOK_EVERY_S: Final = 0.1
READY_WITHIN_S: Final = 60.0
BOT_SETTINGS: Final = {
    "STEMCORD_PROVIDERS": "workers,finevoice",
    "STEMCORD_SEPARATE_ON": "workers",
    "STEMCORD_QUOTA_MINUTES": "1000000",
    "STEMCORD_MAX_ACTIVE_JOBS": "1000",
    "STEMCORD_POLL_MIN_S": "0.1",
    "STEMCORD_POLL_MAX_S": "0.5",
}
_DRAINED = """
SELECT 1 WHERE NOT EXISTS (
    SELECT 1 FROM jobs
    WHERE NOT is_final OR (acknowledged_at IS NOT NULL AND shown_version < wanted_version)
)
"""
_GONE = (aiohttp.ClientError, TimeoutError, OSError)


class Network(Protocol):
    """The network between a process and the database."""

    def go_silent(self) -> None: ...

    def heal(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Node:
    """A process, its network and its health page."""

    name: str
    program: Program
    network: Network
    log: Path
    ops: str
    """The address of its operations server."""
    shard: int | None = None
    """The shard of a bot; None for a worker."""

    def freeze(self) -> None:
        """Suspend the process."""
        os.kill(self.program.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the process."""
        os.kill(self.program.pid, signal.SIGCONT)


@dataclass(slots=True, kw_only=True)
class ClusterHarness:
    """The sandbox, the database server, the store and all processes by name."""

    home: Path
    sandbox: Sandbox
    users: SimulatedUsers
    server: DatabaseServer
    stack: AsyncExitStack
    http: aiohttp.ClientSession
    hole: BlackHole | None = None
    """A network for one worker, whose packets can vanish."""
    nodes: dict[str, Node] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of the database, past all networks."""
        return self.server.url.replace("/postgres?", f"/{DATABASE}?")

    @property
    def store(self) -> Path:
        """The shared folder."""
        return self.home / "store"

    @property
    def bots(self) -> Sequence[Node]:
        """All bots, standbys included."""
        return [each for each in self.nodes.values() if each.shard is not None]

    @property
    def workers(self) -> Sequence[Node]:
        """All workers."""
        return [each for each in self.nodes.values() if each.shard is None]

    async def start_bot(self, name: str, shards: str) -> Node:
        """Start a bot, or a standby if its group has one."""
        network, ops = await self._network(), f"127.0.0.1:{free_port(0)}"
        bot = BotProcess(
            self.sandbox,
            data_dir=self.home / name,
            log=self.home / f"{name}.log",
            settings={
                **BOT_SETTINGS,
                **self._shared(network.url(user=USER, database=DATABASE)),
                "STEMCORD_SHARDS": shards,
                "STEMCORD_OPS_ADDRESS": ops,
            },
            vendors=True,
        )
        return await self._start(name, bot, network, ops, shard=int(shards[0]))

    async def start_worker(self, name: str, *, seconds: float) -> Node:
        """Start a worker whose engine only waits."""
        network, ops = await self._network(), f"127.0.0.1:{free_port(0)}"
        url = network.url(user=USER, database=DATABASE)
        return await self._start(name, self._worker(name, url, ops, seconds), network, ops)

    async def start_worker_in(self, hole: BlackHole, name: str, *, seconds: float) -> Node:
        """Start a worker whose engine only waits, in a network namespace."""
        ops = f"{hole.guest}:{free_port(0)}"
        url = f"postgresql://{USER}@{hole.host}/{DATABASE}?sslmode=disable&gssencmode=disable"
        worker = self._worker(name, url, ops, seconds, before=hole.command)
        return await self._start(name, worker, hole, ops)

    async def state(self, node: Node) -> str:
        """Return what a process reports about itself: `serving`, `standby` or `draining`; or
        `gone`.

        A bot serves only once it is also connected to Discord.
        """
        try:
            async with self.http.get(f"http://{node.ops}/healthz") as answer:
                found: Json = await answer.json()
        except _GONE:
            return "gone"
        is_connected = found.get("discord", True) or found["state"] != "serving"
        return str(found["state"]) if is_connected else "connecting"

    async def serving(self, shard: int) -> Node | None:
        """Return the bot that serves a shard now."""
        for node in self.bots:
            if node.shard == shard and await self.state(node) == "serving":
                return node
        return None

    async def taken_over(self, shard: int, *, but: Node, within_s: float) -> float | None:
        """Return the seconds until another bot serves a shard, or None after `within_s`."""
        began = time.monotonic()
        while time.monotonic() - began < within_s:
            found = await self.serving(shard)
            if found is not None and found is not but:
                return time.monotonic() - began
            await asyncio.sleep(LOOK_EVERY_S)
        return None

    async def all_ready(self) -> bool:
        """Wait until every process serves or stands by. Return False if one never does."""
        ends_at = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < ends_at:
            states = [await self.state(node) for node in self.nodes.values()]
            if all(state in {"serving", "standby"} for state in states):
                return True
            await asyncio.sleep(LOOK_EVERY_S)
        return False

    async def drained(self, within_s: float) -> bool:
        """Wait until every job is final and every reply shows it. Return False after `within_s`."""
        return await self.finds(_DRAINED, within_s=within_s)

    async def finds(self, sql: str, *, within_s: float) -> bool:
        """Wait until a query returns a row. Return False after `within_s`."""
        ends_at = time.monotonic() + within_s
        while time.monotonic() < ends_at:
            if await asyncio.to_thread(self.rows, sql):
                return True
            await asyncio.sleep(0.5)
        return False

    def rows(self, sql: str, *values: object) -> Sequence[Row]:
        """Query the database, past all networks."""
        with psycopg.Connection[postgres_sessions.PostgresRow].connect(
            self.url, autocommit=True, row_factory=postgres_sessions.rows
        ) as conn:
            return conn.execute(postgres_sessions.translated(sql), values).fetchall()

    async def _network(self) -> SilentProxy:
        return await self.stack.enter_async_context(SilentProxy.to(self.server.socket))

    def _shared(self, url: str) -> dict[str, str]:
        return {
            "STEMCORD_DATABASE_URL": url,
            "STEMCORD_OBJECT_STORE": f"file://{self.store}",
            "TMPDIR": str(self.home / "tmp"),
        }

    def _worker(
        self, name: str, url: str, ops: str, seconds: float, before: Sequence[str] = ()
    ) -> Program:
        settings = {
            "PATH": os.environ["PATH"],
            **self._shared(url),
            "STEMCORD_DATA_DIR": str(self.home / name),
            "STEMCORD_OPS_ADDRESS": ops,
            "WAIT_S": str(seconds),
        }
        module = ("-m", "tests.support.waiting_worker")
        return Program(*module, environment=settings, log=self.home / f"{name}.log", before=before)

    async def _start(
        self, name: str, program: Program, network: Network, ops: str, *, shard: int | None = None
    ) -> Node:
        await program.start()
        self.stack.push_async_callback(program.kill)
        log = self.home / f"{name}.log"
        self.nodes[name] = Node(
            name=name, program=program, network=network, log=log, ops=ops, shard=shard
        )
        return self.nodes[name]


@asynccontextmanager
async def open_cluster(
    home: Path, *, people: int, answer_within_s: float, with_hole: bool
) -> AsyncIterator[ClusterHarness]:
    """Open a sandbox with two shards and an empty database, without any process yet.

    `with_hole` makes a network namespace as well, where that is allowed.
    """
    (home / "store").mkdir(parents=True)
    (home / "tmp").mkdir()
    async with AsyncExitStack() as stack:
        hole = None
        with suppress(NoNamespaces):
            hole = stack.enter_context(black_hole()) if with_hole else None
        listens_on = "" if hole is None else hole.host
        server = stack.enter_context(running_database_server(CRASH_SAFE, listens_on=listens_on))
        with psycopg.connect(server.url, autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {DATABASE} ENCODING 'UTF8'".encode())
        sandbox = await stack.enter_async_context(Sandbox(shards=2))
        sandbox.limits.is_enabled = False
        sandbox.interactions.answer_within_s = answer_within_s
        users = await stack.enter_async_context(SimulatedUsers(sandbox))
        users.invite(people)
        timeout = aiohttp.ClientTimeout(total=1)
        yield ClusterHarness(
            home=home,
            sandbox=sandbox,
            users=users,
            server=server,
            stack=stack,
            hole=hole,
            http=await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout)),
        )
