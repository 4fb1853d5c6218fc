"""The cluster's processes, each started again when it ends, as a service manager does."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.bot_process import BotProcess, Program, models_folder
from sandbox.server import Sandbox

RESTART_AFTER_S = 2.0
WRONG_SETTINGS = 2
"""The exit status after which a restart makes no sense."""
_SECRETS = ("DISCORD_", "_API_KEY")


class NotStarted(Exception):
    """A process refuses its settings. The message names it and its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One process of the cluster."""

    name: str
    role: str
    program: Program
    log: Path
    ops_port: int
    shard: int | None = None
    """The shard that a bot serves or stands by for."""
    starts_after_s: float = 0.0
    """The delay before the first start, so that a standby does not take a bot's shard."""


class Members:
    """All processes."""

    def __init__(self) -> None:
        self.all: list[Member] = []

    async def run(self) -> None:
        """Keep every process running until cancelled. Raises NotStarted."""
        try:
            async with asyncio.TaskGroup() as group:
                for member in self.all:
                    group.create_task(self._keep(member))
        except ExceptionGroup as found:
            raise found.exceptions[0] from None  # the first one ends the cluster and is shown

    async def kill(self, name: str) -> None:
        """Kill a process, which is then started again. Raises KeyError for an unknown name."""
        found = {each.name: each.program for each in self.all}[name]
        if found.is_running:
            await found.kill()

    async def stop(self) -> None:
        """Stop all processes at the same time."""
        await asyncio.gather(*(each.program.stop() for each in self.all if each.program.is_running))

    async def _keep(self, member: Member) -> None:
        await asyncio.sleep(member.starts_after_s)
        while True:
            await member.program.start()
            if await member.program.wait() == WRONG_SETTINGS:
                last = member.log.read_text().splitlines()[-1:]
                raise NotStarted(f"{member.name}: {' '.join(last)}")
            await asyncio.sleep(RESTART_AFTER_S)


def bot(
    name: str,
    shards: str,
    *,
    sandbox: Sandbox,
    home: Path,
    ops_port: int,
    shared: Mapping[str, str],
) -> Member:
    """Return a bot for a shard group, such as `0/2`."""
    log = home / f"{name}.log"
    settings = {
        **shared,
        "STEMCORD_PROVIDERS": "workers",
        "STEMCORD_SEPARATE_ON": "workers",
        "STEMCORD_SHARDS": shards,
        "STEMCORD_OPS_ADDRESS": f"127.0.0.1:{ops_port}",
    }
    return Member(
        name=name,
        role="bot",
        program=BotProcess(sandbox, data_dir=home / name, log=log, settings=settings),
        log=log,
        ops_port=ops_port,
        shard=int(shards.partition("/")[0]),
    )


def worker(name: str, *, home: Path, ops_port: int, shared: Mapping[str, str]) -> Member:
    """Return a worker, which gets neither a Discord token nor a vendor's key."""
    log = home / f"{name}.log"
    own = {
        variable: value
        for variable, value in os.environ.items()
        if not any(each in variable for each in _SECRETS)
    }
    settings = {
        **own,
        **shared,
        "STEMCORD_DATA_DIR": str(home / name),
        "STEMCORD_MODELS_DIR": models_folder(),
        "STEMCORD_WORKER_TASKS": "separate,audio",
        "STEMCORD_OPS_ADDRESS": f"127.0.0.1:{ops_port}",
    }
    return Member(
        name=name,
        role="worker",
        program=Program("-m", "bot", "worker", environment=settings, log=log),
        log=log,
        ops_port=ops_port,
    )
