"""Kills at random times with many jobs in flight, some of them while the bot takes jobs up."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sandbox.bot_process import BotProcess
from tests.chaos.checks import broken_promises
from tests.chaos.lag import idle_beside, lag_ms
from tests.chaos.measurements import Figure, exactly, none_of, note, recovered
from tests.chaos.parallel_runs import in_parallel
from tests.chaos.services import ENDING
from tests.chaos.stage import Stage, Start, stage

NAME = "kills"
LIVES_S = 2.0
TAKES_UP_S = 0.3
"""About as long as it takes a bot from its store to the gateway."""
_JOBS = "SELECT count(*) FROM jobs"


@dataclass(slots=True)
class Tally:
    """What came of all kills so far."""

    kills: int = 0
    early: int = 0
    """Those that came while the bot took jobs up."""
    jobs: int = 0
    broken: list[str] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)


async def kills(home: Path, *, seeds: Sequence[int], rounds: int, in_flight: int) -> list[Figure]:
    """Kill a bot again and again, then let one finish the work, for each seed."""
    tally = Tally()
    beside = home / "beside"
    async with idle_beside(beside):
        await in_parallel(
            [_lives(home / f"{NAME}-{seed}", seed, rounds, in_flight, tally) for seed in seeds]
        )
    return [
        exactly(NAME, f"kills with {in_flight} jobs in flight", tally.kills, len(seeds) * rounds),
        note(NAME, "of them while taking jobs up", f"{tally.early:,}"),
        note(NAME, "jobs", f"{tally.jobs:,}"),
        none_of(NAME, "broken promises", tally.broken),
        recovered(NAME, tally.starts),
        note(NAME, "an idle loop's lag beside it, max", f"{max(lag_ms(beside), default=0):.3g} ms"),
    ]


async def _lives(home: Path, seed: int, rounds: int, in_flight: int, tally: Tally) -> None:
    random = Random(seed)
    async with stage(home, people=in_flight) as here:
        for number in range(rounds):
            bot = await here.start()
            if number % 3 == 2:
                await here.taking_up(bot)
                await asyncio.sleep(random.uniform(0, TAKES_UP_S))
            else:
                await here.online(bot)
                fill(here, random, in_flight)
                await asyncio.sleep(random.uniform(0, LIVES_S))
            await _kill(here, bot, tally)
        await here.users.settle()
        async with here.life():
            is_drained = await here.drained()
        found = unfinished(is_drained) + broken_promises(here)
        tally.broken += [f"seed {seed}: {said}" for said in found]
        tally.jobs += here.rows(_JOBS)[0][0]
        tally.starts += here.starts


async def _kill(here: Stage, bot: BotProcess, tally: Tally) -> None:
    """Kill a bot and count it, unless it is dead already."""
    if bot.is_running:
        tally.kills += 1
        tally.early += not here.sandbox.world.bot_is_online
    await bot.kill()


def fill(here: Stage, random: Random, in_flight: int) -> None:
    """Have people send songs until so many are on their way."""
    for person in random.sample(here.users.people, max(0, in_flight - here.open_jobs())):
        here.users.soon(random.choice(ENDING), person)


def unfinished(is_drained: bool) -> list[str]:
    """Say so when a rehearsal did not come to its end."""
    return [] if is_drained else ["not everything came to an end"]
