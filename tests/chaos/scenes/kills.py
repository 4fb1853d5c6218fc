"""Kills at random times with many jobs in flight, some of them while the bot takes jobs up."""

import asyncio
from pathlib import Path
from random import Random

from tests.chaos.checks import broken_promises
from tests.chaos.figures import Figure, at_most, none_of, note
from tests.chaos.services import ENDING
from tests.chaos.stage import Stage, stage

NAME = "kills"
LIVES_S = 2.0
DIES_EARLY_S = 0.8


async def kills(home: Path, *, seed: int, rounds: int, in_flight: int) -> list[Figure]:
    """Kill a bot again and again, then let one finish the work."""
    random = Random(seed)
    async with stage(home / NAME, people=in_flight) as here:
        for number in range(rounds):
            bot = await here.start()
            if number % 3 == 2 or not await here.online(bot):
                await asyncio.sleep(random.uniform(0, DIES_EARLY_S))
            else:
                fill(here, random, in_flight)
                await asyncio.sleep(random.uniform(0, LIVES_S))
            await bot.kill()
        async with here.life():
            is_drained = await here.drained()
        await here.crowd.settle()
        return [
            note(NAME, "kills, a third of them while taking jobs up", f"{rounds}"),
            note(NAME, "jobs", f"{here.rows('SELECT count(*) FROM jobs')[0][0]}"),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(here)),
            at_most(NAME, "a start with jobs to take up, max", max(here.starts_s), 5, " s"),
        ]


def fill(here: Stage, random: Random, in_flight: int) -> None:
    """Have people send songs until so many are on their way."""
    for person in random.sample(here.crowd.people, max(0, in_flight - here.open_jobs())):
        here.crowd.soon(random.choice(ENDING), person)


def unfinished(is_drained: bool) -> list[str]:
    """Say so when a rehearsal did not come to its end."""
    return [] if is_drained else ["not everything came to an end"]
