"""SIGTERM with many jobs in flight."""

import asyncio
import time
from pathlib import Path
from random import Random

from sandbox.faults import Fault
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note
from tests.chaos.scenes.kills import fill, unfinished

NAME = "stop"
SILENT_WITHIN_S = 20.0


async def stop(home: Path, *, seed: int, rounds: int, in_flight: int) -> list[Figure]:
    """Stop one bot after another, then let a last bot finish the work."""
    random = Random(seed)
    took_s: list[float] = []
    statuses: list[int] = []
    async with open_harness(home / NAME, people=in_flight) as harness:
        for number in range(rounds):
            bot = await harness.start()
            await harness.online(bot)
            fill(harness, random, in_flight)
            await asyncio.sleep(random.uniform(0, 2))
            if number % 2:
                await _lose_the_gateway(harness)
            began = time.monotonic()
            statuses.append(await bot.stop())
            took_s.append(time.monotonic() - began)
            harness.sandbox.faults.clear()
        await harness.users.settle()
        async with harness.running_bot():
            is_drained = await harness.drained()
        return [
            note(NAME, "stops under load, half without a gateway", f"{rounds}"),
            exactly(NAME, "exits with status 0", statuses.count(0), rounds),
            at_most(NAME, "a stop under load, max", max(took_s), 10, " s"),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


async def _lose_the_gateway(harness: ChaosHarness) -> None:
    """Drop the connection and leave the bot's reconnect unanswered."""
    silence = Fault(route="GET /gateway*", delay_s=60, times=1)
    harness.sandbox.faults.add(silence)
    await harness.sandbox.gateway.drop()
    async with asyncio.timeout(SILENT_WITHIN_S):
        while silence.times:
            await asyncio.sleep(0.01)
