"""Kills at random times with many jobs in flight, some while the bot resumes jobs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sandbox.bot_process import BotProcess
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, Start, open_harness
from tests.chaos.lag import idle_beside, lag_ms
from tests.chaos.measurements import Figure, exactly, none_of, note, recovered
from tests.chaos.parallel_runs import run_in_parallel
from tests.chaos.services import ENDING

NAME = "kills"
MAX_RUN_S = 2.0
MAX_RESUME_S = 0.3
"""About the time from opening the store to connecting to the gateway."""
_JOBS = "SELECT count(*) FROM jobs"


@dataclass(slots=True)
class Tally:
    """The outcome of all kills so far."""

    kills: int = 0
    early: int = 0
    """Kills before the bot was connected to Discord."""
    jobs: int = 0
    broken: list[str] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)


async def kills(home: Path, *, seeds: Sequence[int], rounds: int, in_flight: int) -> list[Figure]:
    """For each seed, kill one bot after another, then let a last bot finish the work."""
    tally = Tally()
    beside = home / "beside"
    async with idle_beside(beside):
        await run_in_parallel(
            [_run_seed(home / f"{NAME}-{seed}", seed, rounds, in_flight, tally) for seed in seeds]
        )
    return [
        exactly(NAME, f"kills with {in_flight} jobs in flight", tally.kills, len(seeds) * rounds),
        note(NAME, "of them before it was connected", f"{tally.early:,}"),
        note(NAME, "jobs", f"{tally.jobs:,}"),
        none_of(NAME, "broken promises", tally.broken),
        recovered(NAME, tally.starts),
        note(
            NAME, "lag of an idle loop meanwhile, max", f"{max(lag_ms(beside), default=0):.3g} ms"
        ),
    ]


async def _run_seed(home: Path, seed: int, rounds: int, in_flight: int, tally: Tally) -> None:
    random = Random(seed)
    async with open_harness(home, people=in_flight) as harness:
        for number in range(rounds):
            bot = await harness.start()
            if number % 3 == 2:
                await harness.resuming(bot)
                await asyncio.sleep(random.uniform(0, MAX_RESUME_S))
            else:
                await harness.online(bot)
                fill(harness, random, in_flight)
                await asyncio.sleep(random.uniform(0, MAX_RUN_S))
            await _kill(harness, bot, tally)
        await harness.users.settle()
        async with harness.running_bot():
            is_drained = await harness.drained()
        found = unfinished(is_drained) + broken_promises(harness)
        tally.broken += [f"seed {seed}: {said}" for said in found]
        tally.jobs += harness.rows(_JOBS)[0][0]
        tally.starts += harness.starts


async def _kill(harness: ChaosHarness, bot: BotProcess, tally: Tally) -> None:
    """Kill a bot and count it, unless it is already dead."""
    if bot.is_running:
        tally.kills += 1
        tally.early += not harness.sandbox.world.bot_is_online
    await bot.kill()


def fill(harness: ChaosHarness, random: Random, in_flight: int) -> None:
    """Let users send songs until `in_flight` jobs are open."""
    for person in random.sample(harness.users.people, max(0, in_flight - harness.open_jobs())):
        harness.users.split_soon(random.choice(ENDING), person)


def unfinished(is_drained: bool) -> list[str]:
    """Return a finding unless every job ended."""
    return [] if is_drained else ["some jobs never ended"]
