"""A vendor accepts every song and fails: it goes on cooldown, and the next one gets the songs."""

import asyncio
from pathlib import Path
from random import Random

from tests.chaos.bot import CONCURRENCY, COOLDOWN_S
from tests.chaos.checks import broken_promises
from tests.chaos.harness import open_harness
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import FIRST, SECOND, Journal, Script

NAME = "failing vendor"
PLACES = 2
"""The vendor's concurrency, and so the most songs that it may have when it first fails."""
MOST_BILLED = 8
"""The failures that start a cooldown, the songs sent by then, and one trial afterwards."""
MAX_PAUSE_S = 0.4


async def failing_vendor(home: Path, *, seed: int, songs: int) -> list[Figure]:
    """Send songs one after the other, all with a preference for the failing vendor."""
    random = Random(seed)
    settings = {CONCURRENCY: str(PLACES), COOLDOWN_S: ""}
    async with open_harness(home / "failing-vendor", people=10, settings=settings) as harness:
        async with harness.running_bot():
            for _ in range(songs):
                harness.users.split_soon(Script.FAILS, random.choice(harness.users.people))
                await asyncio.sleep(random.uniform(0, MAX_PAUSE_S))
            await harness.users.settle()
            is_drained = await harness.drained()
        billed = Journal(harness.home / f"{FIRST}.journal").arrived().total()
        served = Journal(harness.home / f"{SECOND}.journal").arrived().total()
        delivered = harness.rows("SELECT count(*) FROM jobs WHERE state = 'delivered'")[0][0]
        return [
            note(NAME, "songs, of them at the next provider", f"{songs}, {served}"),
            exactly(NAME, "songs delivered", delivered, songs),
            at_most(NAME, "tasks that the vendor may bill", billed, MOST_BILLED, is_speed=False),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]
