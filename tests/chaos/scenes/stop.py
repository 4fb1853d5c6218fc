"""SIGTERM with many jobs in flight, again and again."""

import asyncio
import time
from pathlib import Path
from random import Random

from sandbox.faults import Fault
from tests.chaos.checks import broken_promises
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note
from tests.chaos.scenes.kills import fill, unfinished
from tests.chaos.stage import Stage, stage

NAME = "stop"
SILENT_WITHIN_S = 20.0


async def stop(home: Path, *, seed: int, rounds: int, in_flight: int) -> list[Figure]:
    """Ask bots to end, then let one finish the work."""
    random = Random(seed)
    took_s: list[float] = []
    statuses: list[int] = []
    async with stage(home / NAME, people=in_flight) as here:
        for number in range(rounds):
            bot = await here.start()
            await here.online(bot)
            fill(here, random, in_flight)
            await asyncio.sleep(random.uniform(0, 2))
            if number % 2:
                await _lose_the_gateway(here)
            began = time.monotonic()
            statuses.append(await bot.stop())
            took_s.append(time.monotonic() - began)
            here.sandbox.faults.clear()
        await here.users.settle()
        async with here.life():
            is_drained = await here.drained()
        return [
            note(NAME, "stops under load, half of them without a gateway", f"{rounds}"),
            exactly(NAME, "ends with status 0", statuses.count(0), rounds),
            at_most(NAME, "a stop under load, max", max(took_s), 10, " s"),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(here)),
        ]


async def _lose_the_gateway(here: Stage) -> None:
    """Break the connection, and be silent when the bot connects anew."""
    silence = Fault(route="GET /gateway*", delay_s=60, times=1)
    here.sandbox.faults.add(silence)
    await here.sandbox.gateway.drop()
    async with asyncio.timeout(SILENT_WITHIN_S):
        while silence.times:
            await asyncio.sleep(0.01)
