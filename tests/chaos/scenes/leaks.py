"""A long evening of everything at once, and what the bot has open when it is over."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from random import Random

from sandbox.faults import Fault
from tests.chaos.checks import broken_promises
from tests.chaos.measurements import Figure, none_of, note
from tests.chaos.open_resources import ResourceCount
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import ENDING
from tests.chaos.stage import Stage, stage

NAME = "leaks"
SONGS_A_SECOND = 5
SETTLES_WITHIN_S = 45.0
"""Connections to Discord are kept for a quarter of a minute after their last request."""
ROOM = {"tasks": 2, "threads": 8, "descriptors": 6}
"""The pool of threads that a loop keeps, and connections that live as long as the gateway's."""
_FAULTS = (
    Fault(route="*", reset=True, times=1),
    Fault(route="PATCH /webhooks/*", status=503, times=1),
    Fault(route="PATCH /webhooks/*", delay_s=2.0, times=1),
)


async def leaks(home: Path, *, seed: int, seconds: float) -> list[Figure]:
    """Count what a bot has open before and after it had a lot to do."""
    random = Random(seed)
    async with stage(home / NAME, people=10) as here:
        async with here.life():
            await asyncio.sleep(2)
            before = here.census()
            await _evening(here, random, seconds)
            is_drained = await here.drained(120)
            after = await _settled(here, before.with_room(**ROOM))
        found = unfinished(is_drained) + broken_promises(here)
        return [
            note(NAME, "songs", f"{len(here.users.answers):,}"),
            Figure(
                scene=NAME,
                what="tasks, threads, descriptors afterwards",
                measured=str(after),
                limit=f"about {before}",
                is_met=after.fits_into(before.with_room(**ROOM)),
            ),
            none_of(NAME, "broken promises", found),
        ]


async def _evening(here: Stage, random: Random, seconds: float) -> None:
    for number in range(int(seconds * SONGS_A_SECOND)):
        here.users.soon(random.choice(ENDING), random.choice(here.users.people))
        if number % 10 == 5:
            here.sandbox.faults.add(replace(random.choice(_FAULTS)))
        if number % 50 == 25:
            await here.sandbox.gateway.drop()
        await asyncio.sleep(1 / SONGS_A_SECOND)
    here.sandbox.faults.clear()
    await here.users.settle()


async def _settled(here: Stage, limit: ResourceCount) -> ResourceCount:
    """Wait until no more is open than that, or for long enough; return what is."""
    ends_at = time.monotonic() + SETTLES_WITHIN_S
    while not (census := here.census()).fits_into(limit) and time.monotonic() < ends_at:
        await asyncio.sleep(0.5)
    return census
