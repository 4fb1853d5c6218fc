"""The bot dies before, within and after each commit that it makes, and the next one goes on."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

from sandbox.faults import Fault
from tests.chaos.checks import broken_promises
from tests.chaos.figures import Figure, at_most, none_of, note
from tests.chaos.points import KILLED, Moment, Point
from tests.chaos.services import ENDING, Script
from tests.chaos.stage import Stage, stage

NAME = "crash"
DIES_WITHIN_S = 15.0
TRIES = 2
EXPIRED = "expired"
SHORT = timedelta(seconds=1)
STEPS = {
    "new": Script.PLAIN,
    "received>received": Script.PLAIN,
    "received>held": Script.PLAIN,
    "received>ready": Script.AGAIN,
    "received>failed": Script.BROKEN,
    "received>cancelled": Script.PLAIN,
    "held>submitting": Script.PLAIN,
    "submitting>processing": Script.AT_ONCE,
    "submitting>submitting": Script.REFUSED,
    "submitting>failed": Script.NOBODY,
    "record>refused": Script.REFUSED,
    "record>not_sent": Script.DOWN,
    "record>uncertain": Script.UNCERTAIN,
    "record>done": Script.PLAIN,
    "record>abandoned": Script.ENDLESS,
    "processing>submitting": Script.FAILS,
    "processing>cancelled": Script.ENDLESS,
    "processing>ready": Script.PLAIN,
    "ready>delivered": Script.PLAIN,
    "ready>kept": Script.PLAIN,
    "shown": Script.PLAIN,
}
"""Each step, and the song that brings a bot there."""
_CANCELS = ("record>abandoned", "processing>cancelled")
_MADE = "SELECT id FROM jobs WHERE state = 'delivered' AND filename LIKE 'again%'"
_ENDLESS = "SELECT id, user_id FROM jobs WHERE state = 'processing' AND filename LIKE 'endless%'"


def points(random: Random) -> list[Point]:
    """Return every point once, in some order, to be met at the first or the second pass."""
    every = [
        Point(step, moment, random.choice((1, 2)) if step not in _CANCELS else 1)
        for step in STEPS
        for moment in Moment
    ]
    random.shuffle(every)
    return every


async def crash(home: Path, *, seeds: Sequence[int], most: int | None = None) -> list[Figure]:
    """Let bots die at all points, or at the first `most` of each seed, and look what is left."""
    starts_s: list[float] = []
    missed: list[str] = []
    broken: list[str] = []
    lives = 0
    for seed in seeds:
        random = Random(seed)
        async with stage(home / f"seed-{seed}") as here:
            for point in points(random)[:most]:
                lives += 1
                if not await _die_at(here, point, random):
                    missed.append(f"{point} (seed {seed})")
            async with here.life():
                await _cancel_endless(here)
                if not await here.drained():
                    broken.append(f"seed {seed} does not come to an end")
            await here.crowd.settle()
            broken += [f"seed {seed}: {said}" for said in broken_promises(here)]
            if most is None:
                found = await _expire(here)
                missed += [f"{point} (seed {seed})" for point in found]
                lives += len(Moment)
                broken += [f"seed {seed}: {said}" for said in broken_promises(here, keep=SHORT)]
            starts_s += here.starts_s
    return [
        note(NAME, "deaths at a point", f"{lives - len(missed)}"),
        none_of(NAME, "points that were not reached", missed),
        none_of(NAME, "broken promises", broken),
        at_most(NAME, "a start with jobs to take up, max", max(starts_s), 5, " s"),
    ]


async def _die_at(here: Stage, point: Point, random: Random) -> bool:
    for _ in range(TRIES):
        bot = await here.start(point)
        try:
            async with asyncio.timeout(DIES_WITHIN_S):
                if await here.online(bot):
                    await _act(here, point, random)
                return await bot.wait() == KILLED
        except TimeoutError:
            await bot.kill()
        finally:
            here.sandbox.faults.clear()
    return False


async def _expire(here: Stage) -> list[Point]:
    """Let bots die as they delete what is past its time; return the points not reached."""
    settings = {"STEMCORD_KEEP_RESULTS_HOURS": str(SHORT / timedelta(hours=1))}
    await asyncio.sleep(2 * SHORT.total_seconds())
    missed = []
    for moment in Moment:
        point = Point(EXPIRED, moment)
        bot = await here.start(point, settings=settings)
        try:
            async with asyncio.timeout(DIES_WITHIN_S):
                await bot.wait()
        except TimeoutError:
            await bot.kill()
            missed.append(point)
    bot = await here.start(settings=settings)
    async with asyncio.timeout(DIES_WITHIN_S):
        while here.rows("SELECT 1 FROM jobs WHERE NOT files_expired"):
            await asyncio.sleep(0.05)
    await bot.stop()
    return missed


async def _act(here: Stage, point: Point, random: Random) -> None:
    """Do what brings the bot to the point, and something else beside it."""
    for fault in _faults(point.step):
        here.sandbox.faults.add(fault)
    if STEPS[point.step] is Script.AGAIN:
        await _have_stems(here)
    for _ in range(point.nth):
        here.crowd.soon(STEPS[point.step], here.crowd.people[0])
    here.crowd.soon(random.choice(ENDING), random.choice(here.crowd.people))
    if point.step in _CANCELS:
        while not here.rows(_ENDLESS):
            await asyncio.sleep(0.05)
        await _cancel_endless(here)


async def _have_stems(here: Stage) -> None:
    if not here.rows(_MADE):
        await here.crowd.split(Script.AGAIN, here.crowd.people[0])
    while not here.rows(_MADE):
        await asyncio.sleep(0.05)


def _faults(step: str) -> list[Fault]:
    match step:
        case "received>cancelled":
            return [Fault(route="POST /interactions/*", status=404, code=10062, times=2)]
        case "ready>kept":
            return [
                Fault(route="PATCH /webhooks/*", status=401, code=50027),
                Fault(route="PATCH /channels/*", status=403, code=50001),
                Fault(route="POST /channels/*", status=403, code=50007),
            ]
        case _:
            return []


async def _cancel_endless(here: Stage) -> None:
    jobs = here.rows(_ENDLESS)
    for row in jobs:
        await here.crowd.command("cancel", row["user_id"], job=row["id"])
