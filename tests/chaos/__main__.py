"""`python -m tests.chaos`: rehearse all that may go wrong, and end with 1 if a figure is missed."""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.figures import Figure
from tests.chaos.scenes.crash import crash
from tests.chaos.scenes.engine import engine
from tests.chaos.scenes.gateway import gateway
from tests.chaos.scenes.kills import kills
from tests.chaos.scenes.load import evening, greedy, rush
from tests.chaos.scenes.outages import discord_gone, providers_gone
from tests.chaos.scenes.refusals import at_random, one_by_one
from tests.chaos.scenes.stop import stop
from tests.chaos.scenes.store import full, jumped, locked
from tests.chaos.scenes.vendors import vendors

Scene = Callable[[Path], Awaitable[list[Figure]]]


def scenes(seed: int, seeds: int) -> Mapping[str, Scene]:
    """Return every scene in full length, by name."""
    return {
        "crash": partial(crash, seeds=range(seed, seed + seeds)),
        "kills": partial(kills, seed=seed, rounds=60, in_flight=50),
        "stop": partial(stop, seed=seed, rounds=10, in_flight=50),
        "gateway": partial(gateway, seed=seed, seconds=40),
        "refusals": one_by_one,
        "random-refusals": partial(at_random, seed=seed, seconds=60),
        "locked": partial(locked, seconds=30),
        "disk-full": partial(full, seconds=45),
        "clock": partial(jumped, seconds=5),
        "discord-gone": partial(discord_gone, seconds=60),
        "providers-gone": providers_gone,
        "greedy": partial(greedy, songs=50, room=10),
        "rush": partial(rush, commands=100),
        "load": partial(evening, seed=seed, open_jobs=200, seconds=60),
        "vendors": partial(vendors, seed=seed, songs=20),
        "engine": partial(engine, kills=2),
    }


async def rehearse(chosen: Mapping[str, Scene], console: Console) -> list[Figure]:
    """Play each scene in a directory of its own; what breaks off is a figure that is missed."""
    figures: list[Figure] = []
    for name, scene in chosen.items():
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"chaos-{name}-") as folder:
            try:
                found = await scene(Path(folder))
            except Exception as exc:  # noqa: BLE001 - whatever it was, the other scenes go on
                console.print_exception()
                found = [
                    Figure(
                        scene=name, what="breaks off", measured=repr(exc), limit="", is_met=False
                    )
                ]
        figures += found
        missed = [each for each in found if not each.is_met]
        console.print(f"{name}: {time.monotonic() - began:.0f} s, {len(missed)} missed")
    return figures


def table(figures: list[Figure]) -> Table:
    """Draw the figures."""
    drawn = Table("", "scene", "figure", "measured", "limit", box=None, pad_edge=False)
    for each in figures:
        mark = "ok" if each.is_met else "MISSED"
        drawn.add_row(mark, each.scene, each.what, each.measured, each.limit)
    return drawn


def main() -> int:
    """Read the arguments and rehearse."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("scenes", nargs="*", help="some of them only, by name")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=20, help="how many for the crash points")
    arguments = parser.parse_args()
    every = scenes(arguments.seed, arguments.seeds)
    if unknown := set(arguments.scenes) - every.keys():
        parser.error(f"no such scene: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    chosen = {name: every[name] for name in arguments.scenes or every}
    # Bots that die in the middle of a request are what this is about.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 160)
    figures = asyncio.run(rehearse(chosen, console))
    console.print(table(figures), markup=False)
    return 0 if all(each.is_met for each in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
