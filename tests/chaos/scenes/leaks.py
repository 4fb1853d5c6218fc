"""A mixed load with faults, and a count of the resources that the bot holds afterwards."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from random import Random

from sandbox.faults import Fault
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, none_of, note
from tests.chaos.open_resources import ResourceCount
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import ENDING

NAME = "leaks"
SONGS_A_SECOND = 5
SETTLES_WITHIN_S = 45.0
"""Connections to Discord are kept for 15 s after their last request."""
MARGIN = {"tasks": 2, "threads": 8, "descriptors": 6}
"""The growth that is no leak: the event loop's thread pool, and long-lived connections."""
_FAULTS = (
    Fault(route="*", reset=True, times=1),
    Fault(route="PATCH /webhooks/*", status=503, times=1),
    Fault(route="PATCH /webhooks/*", delay_s=2.0, times=1),
)


async def leaks(home: Path, *, seed: int, seconds: float) -> list[Figure]:
    """Count what a bot has open before and after a mixed load."""
    random = Random(seed)
    async with open_harness(home / NAME, people=10) as harness:
        async with harness.running_bot():
            await asyncio.sleep(2)
            before = harness.resource_count()
            await _mixed_load(harness, random, seconds)
            is_drained = await harness.drained(120)
            after = await _settled(harness, before.with_margin(**MARGIN))
        found = unfinished(is_drained) + broken_promises(harness)
        return [
            note(NAME, "songs", f"{len(harness.users.answers):,}"),
            Figure(
                scene=NAME,
                what="tasks, threads, descriptors afterwards",
                measured=str(after),
                limit=f"about {before}",
                is_met=after.fits_into(before.with_margin(**MARGIN)),
            ),
            none_of(NAME, "broken promises", found),
        ]


async def _mixed_load(harness: ChaosHarness, random: Random, seconds: float) -> None:
    for number in range(int(seconds * SONGS_A_SECOND)):
        harness.users.split_soon(random.choice(ENDING), random.choice(harness.users.people))
        if number % 10 == 5:
            harness.sandbox.faults.add(replace(random.choice(_FAULTS)))
        if number % 50 == 25:
            await harness.sandbox.gateway.drop()
        await asyncio.sleep(1 / SONGS_A_SECOND)
    harness.sandbox.faults.clear()
    await harness.users.settle()


async def _settled(harness: ChaosHarness, limit: ResourceCount) -> ResourceCount:
    """Wait, for a limited time, until the counts are within the limit, and return them."""
    ends_at = time.monotonic() + SETTLES_WITHIN_S
    while not (census := harness.resource_count()).fits_into(limit) and time.monotonic() < ends_at:
        await asyncio.sleep(0.5)
    return census
