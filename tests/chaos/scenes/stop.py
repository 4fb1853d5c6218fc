"""SIGTERM with many jobs in flight, again and again."""

import asyncio
import time
from pathlib import Path
from random import Random

from tests.chaos.checks import broken_promises
from tests.chaos.figures import Figure, at_most, exactly, none_of
from tests.chaos.scenes.kills import fill, unfinished
from tests.chaos.stage import stage

NAME = "stop"


async def stop(home: Path, *, seed: int, rounds: int, in_flight: int) -> list[Figure]:
    """Ask bots to end, then let one finish the work."""
    random = Random(seed)
    took_s: list[float] = []
    statuses: list[int] = []
    async with stage(home / NAME, people=in_flight) as here:
        for _ in range(rounds):
            bot = await here.start()
            await here.online(bot)
            fill(here, random, in_flight)
            await asyncio.sleep(random.uniform(0, 2))
            began = time.monotonic()
            statuses.append(await bot.stop())
            took_s.append(time.monotonic() - began)
        async with here.life():
            is_drained = await here.drained()
        await here.crowd.settle()
        return [
            exactly(NAME, "ends with status 0", statuses.count(0), rounds),
            at_most(NAME, "a stop under load, max", max(took_s), 10, " s"),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(here)),
        ]
