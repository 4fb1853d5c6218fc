"""Measures how soon a bot is ready, from the start of its process.

    python -m bench.startup [--starts 5]

The first start, which creates the data directory and compiles the modules, is not counted. A bot is
ready once it is online in the sandbox, has registered its commands and has logged both.
"""

import argparse
import asyncio
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from sandbox.bot_process import BotProcess
from sandbox.server import Sandbox

WITHIN_S = 60.0
LOOK_EVERY_S = 0.005
READY = "ready; "
SETTINGS = {"PYTHONDONTWRITEBYTECODE": ""}
"""A bot that is installed does not compile its modules at every start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A start: the seconds until the bot was ready, and the CPU time used."""

    wall_s: float
    cpu_s: float


async def measure(starts: int, scratch: Path) -> list[Start]:
    """Start a bot repeatedly on one data directory, and ignore the first start."""
    async with Sandbox() as sandbox:
        found = [await _start(sandbox, scratch, number) for number in range(starts + 1)]
    return found[1:]


async def _start(sandbox: Sandbox, scratch: Path, number: int) -> Start:
    log = scratch / f"bot-{number}.log"
    while sandbox.world.bot_is_online:  # noqa: ASYNC110 - until the last bot's connection is closed
        await asyncio.sleep(LOOK_EVERY_S)
    began = time.perf_counter()
    async with BotProcess(sandbox, data_dir=scratch / "data", log=log, settings=SETTINGS) as bot:
        async with asyncio.timeout(WITHIN_S):
            while not (sandbox.world.bot_is_online and READY in log.read_text()):  # noqa: ASYNC110 - set by requests
                await asyncio.sleep(LOOK_EVERY_S)
        return Start(wall_s=time.perf_counter() - began, cpu_s=_cpu_s(bot.pid))


def _cpu_s(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


async def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="bench.startup", description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        starts = await measure(parser.parse_args().starts, Path(folder))
    table = Table("", "ready after, s", "CPU time, s")
    for name, pick in (("median", median), ("max", max)):
        wall_s = pick(start.wall_s for start in starts)
        cpu_s = pick(start.cpu_s for start in starts)
        table.add_row(name, f"{wall_s:.2f}", f"{cpu_s:.2f}")
    console = Console()
    console.print(table)
    console.print(f"{len(starts)} starts, load before them {busy:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
