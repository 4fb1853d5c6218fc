"""`python -m tests.chaos`: run the chaos scenes; exit with 1 if a figure misses its limit."""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.measurements import Figure
from tests.chaos.scenes.absence import absence
from tests.chaos.scenes.batch import batch
from tests.chaos.scenes.channels import channels
from tests.chaos.scenes.cluster import cluster
from tests.chaos.scenes.crash import crash
from tests.chaos.scenes.dead_dns import dead_dns
from tests.chaos.scenes.duplicates import duplicates
from tests.chaos.scenes.engine import engine
from tests.chaos.scenes.failing_vendor import failing_vendor
from tests.chaos.scenes.gateway import gateway
from tests.chaos.scenes.kills import kills
from tests.chaos.scenes.leaks import leaks
from tests.chaos.scenes.load import greedy, rush, steady_load
from tests.chaos.scenes.outages import discord_gone, providers_gone
from tests.chaos.scenes.planted import planted
from tests.chaos.scenes.proofs import proofs
from tests.chaos.scenes.recovery import recovery
from tests.chaos.scenes.refusals import at_random, one_by_one
from tests.chaos.scenes.renditions import renditions
from tests.chaos.scenes.room import filled, full_start, repeats, room
from tests.chaos.scenes.stop import stop
from tests.chaos.scenes.store import full, jumped, locked
from tests.chaos.scenes.unreadable import unreadable
from tests.chaos.scenes.vendor_faults import conducts
from tests.chaos.scenes.vendors import vendors

Scene = Callable[[Path], Awaitable[list[Figure]]]
SCENE_TIMEOUT_S = 2400.0
"""No scene needs half as long. A scene that hangs must not block the others."""


def scenes(seed: int, seeds: int) -> Mapping[str, Scene]:
    """Return every scene at full length, by name."""
    return {
        "crash": partial(crash, seeds=range(seed, seed + seeds)),
        "batch": partial(batch, seeds=range(seed, seed + max(1, seeds // 4))),
        "renditions": partial(renditions, seeds=range(seed, seed + max(1, seeds // 4)), rounds=12),
        "kills": partial(
            kills, seeds=range(seed, seed + max(1, seeds // 2)), rounds=50, in_flight=50
        ),
        "stop": partial(stop, seed=seed, rounds=10, in_flight=50),
        "gateway": partial(gateway, seed=seed, seconds=60),
        "refusals": one_by_one,
        "random-refusals": partial(at_random, seed=seed, seconds=60),
        "locked": partial(locked, seconds=30),
        "disk-full": partial(full, seconds=45),
        "clock": partial(jumped, seconds=5),
        "room": partial(room, seed=seed, songs=300, cap_gib=1.0, minutes=2),
        "repeats": partial(repeats, times=60, cap_gib=1.0),
        "disk-filled": partial(filled, seed=seed, songs=40, seconds=40),
        "full-start": partial(full_start, seconds=5),
        "unreadable": unreadable,
        "duplicates": partial(duplicates, seed=seed, rounds=4, songs=10),
        "dead-dns": partial(dead_dns, seed=seed, songs=30, seconds=15),
        "absence": partial(absence, hours=36, speed=600),
        "failing-vendor": partial(failing_vendor, seed=seed, songs=40),
        "discord-gone": partial(discord_gone, seconds=60),
        "providers-gone": providers_gone,
        "greedy": partial(greedy, songs=50, room=10),
        "rush": partial(rush, commands=100),
        "load": partial(steady_load, seed=seed, open_jobs=200, seconds=120),
        "channels": partial(channels, seed=seed, jobs=1000),
        "cluster": partial(
            cluster, seed=seed, failures=36, away_s=60, song_every_s=3, with_hole=True
        ),
        "conducts": conducts,
        "vendors": partial(vendors, seed=seed, songs=20),
        "leaks": partial(leaks, seed=seed, seconds=60),
        "engine": partial(engine, kills=2),
        "recovery": partial(recovery, jobs=10_000),
        "proofs": proofs,
        "planted": planted,
    }


async def run_scenes(chosen: Mapping[str, Scene], console: Console) -> list[Figure]:
    """Run each scene, and print its figures as soon as it ends."""
    figures: list[Figure] = []
    for name, scene in chosen.items():
        began, load = time.monotonic(), os.getloadavg()[0]
        found = await _run(name, scene, console)
        figures += found
        took_s, missed = time.monotonic() - began, sum(not each.is_met for each in found)
        console.print(table(found), markup=False)
        console.print(f"{name}: {took_s:.0f} s, {missed} missed (load before it: {load:.1f})\n")
    return figures


async def _run(name: str, scene: Scene, console: Console) -> list[Figure]:
    """Run a scene in its own directory. A scene that raises counts as a missed figure."""
    with tempfile.TemporaryDirectory(prefix=f"chaos-{name}-") as folder:
        try:
            async with asyncio.timeout(SCENE_TIMEOUT_S):
                return await scene(Path(folder))
        except Exception as exc:  # noqa: BLE001 - the other scenes still run
            console.print_exception()
            broken = Figure(
                scene=name, what="completed", measured=repr(exc), limit="", is_met=False
            )
            return [broken]


def table(figures: list[Figure]) -> Table:
    """Return the figures as a table."""
    drawn = Table("", "scene", "figure", "measured", "limit", box=None, pad_edge=False)
    for each in figures:
        mark = "ok" if each.is_met else "MISSED"
        drawn.add_row(mark, each.scene, each.what, each.measured, each.limit)
    return drawn


def main() -> int:
    """Parse the arguments and run the scenes."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("scenes", nargs="*", help="run only these, by name")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument(
        "--seeds", type=int, default=20, help="number of seeds for crashes; kills use half"
    )
    arguments = parser.parse_args()
    every = scenes(arguments.seed, arguments.seeds)
    if unknown := set(arguments.scenes) - every.keys():
        parser.error(f"no such scene: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    chosen = {name: every[name] for name in arguments.scenes or every}
    # The scenes kill bots in the middle of requests, and aiohttp would log each broken connection.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 160)
    began = time.monotonic()
    figures = asyncio.run(run_scenes(chosen, console))
    missed = sum(not each.is_met for each in figures)
    console.print(table(figures), markup=False)
    took_min = (time.monotonic() - began) / 60
    console.print(f"{len(chosen)} scenes in {took_min:.0f} min, {missed} figures missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
