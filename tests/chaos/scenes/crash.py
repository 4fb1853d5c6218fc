"""The bot dies before, within and after each commit that it makes, and the next one goes on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random

from bot.domain.job import State
from sandbox.bot_process import BotProcess
from tests.chaos.bot import HASTE
from tests.chaos.checks import broken_promises
from tests.chaos.kill_points import KILLED, Moment, Point
from tests.chaos.kill_triggers import WAYS
from tests.chaos.measurements import Figure, none_of, note, recovered
from tests.chaos.parallel_runs import in_parallel
from tests.chaos.services import Script
from tests.chaos.stage import Stage, Start, stage

NAME = "crash"
DIES_WITHIN_S = 15.0
TRIES = 3
EXPIRED = "expired"
SHORT = timedelta(seconds=1)
SETTINGS = {HASTE: "1"}
_BESIDE = (Script.PLAIN, Script.AT_ONCE, Script.FAILS, Script.LOST, Script.LATE, Script.BROKEN)
"""Songs for which no service rests, so that others go where they are meant to."""
_MADE = "SELECT id FROM jobs WHERE state = 'delivered' AND filename LIKE 'again%'"
_NOT_EXPIRED = "SELECT id FROM jobs WHERE NOT files_expired"
_LATEST = "SELECT coalesce(max(rowid), 0) FROM jobs"
_IN_STATE = """\
SELECT id, user_id FROM jobs WHERE state = ? AND filename LIKE ? || '.%' AND rowid > ?"""


@dataclass(slots=True)
class Tally:
    """What came of all lives so far."""

    lives: int = 0
    missed: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)


def points(random: Random) -> list[Point]:
    """Return every point once, in some order, to be met at the first or the second pass."""
    every = [
        Point(step, moment, random.choice((1, 2)) if way.songs is None else 1)
        for step, way in WAYS.items()
        for moment in Moment
    ]
    random.shuffle(every)
    return every


async def crash(home: Path, *, seeds: Sequence[int], most: int | None = None) -> list[Figure]:
    """Let bots die at all points, or at the first `most` of each seed, and look what is left."""
    tally = Tally()
    await in_parallel([_lives(home / f"seed-{seed}", seed, most, tally) for seed in seeds])
    return [
        note(NAME, "deaths at a point", f"{tally.lives - len(tally.missed):,}"),
        none_of(NAME, "points that were not reached", tally.missed),
        none_of(NAME, "broken promises", tally.broken),
        recovered(NAME, tally.starts),
    ]


async def _lives(home: Path, seed: int, most: int | None, tally: Tally) -> None:
    random = Random(seed)
    async with stage(home, settings=SETTINGS) as here:
        for point in points(random)[:most]:
            tally.lives += 1
            if not await _die_at(here, point, random):
                tally.missed.append(f"{point} (seed {seed})")
        await here.users.settle()  # so that nothing arrives when this life is over already
        async with here.life():
            await _cancel_endless(here)
            if not await here.drained():
                tally.broken.append(f"seed {seed} does not come to an end")
        tally.broken += [f"seed {seed}: {said}" for said in broken_promises(here)]
        if most is None:
            tally.lives += len(Moment)
            tally.missed += [f"{point} (seed {seed})" for point in await _expire(here)]
            tally.broken += [f"seed {seed}: {said}" for said in broken_promises(here, keep=SHORT)]
        tally.starts += here.starts


async def _die_at(here: Stage, point: Point, random: Random) -> bool:
    for _ in range(TRIES):
        bot = await here.start(point, settings=WAYS[point.step].settings)
        living = asyncio.create_task(_live(here, bot, point, random))
        try:
            async with asyncio.timeout(DIES_WITHIN_S):
                return await bot.wait() == KILLED
        except TimeoutError:
            await bot.kill()
        finally:
            await _ended(living)
            here.sandbox.faults.clear()
    return False


async def _live(here: Stage, bot: BotProcess, point: Point, random: Random) -> None:
    if await here.online(bot):
        await _act(here, point, random)


async def _ended(living: asyncio.Task[None]) -> None:
    """Stop what was done in a life that is over, wherever it was. Raises what went wrong in it."""
    living.cancel()
    await asyncio.wait({living})
    if not living.cancelled():
        living.result()


async def _expire(here: Stage) -> list[str]:
    """Let bots die as they delete what is past its time; return what was not reached."""
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
            missed.append(str(point))
    bot = await here.start(settings=settings)
    try:
        async with asyncio.timeout(DIES_WITHIN_S):
            while here.rows(_NOT_EXPIRED):
                await asyncio.sleep(0.05)
    except TimeoutError:
        missed.append("the end of all files")
    await bot.stop()
    return missed


async def _act(here: Stage, point: Point, random: Random) -> None:
    """Do what brings the bot to the point, and something else beside it."""
    way = WAYS[point.step]
    await _cancel_endless(here)  # those that lives before left take up places
    latest = int(here.rows(_LATEST)[0][0])
    for fault in way.faults:
        here.sandbox.faults.add(replace(fault))
    if way.song is Script.AGAIN:
        await _have_stems(here)
    options = {"provider": way.provider} if way.provider else {}
    for _ in range(way.songs or point.nth):
        here.users.soon(way.song, here.users.people[0], **options)
    here.users.soon(random.choice(_BESIDE), random.choice(here.users.people))
    if way.cancelled_in is not None:
        if way.cancelled_in is State.HELD:  # until one has the only place, all may be so
            await _are_in(here, way.song, State.PROCESSING, latest)
        await _are_in(here, way.song, way.cancelled_in, latest)
        await _cancel(here, way.song, way.cancelled_in, latest)


async def _have_stems(here: Stage) -> None:
    if not here.rows(_MADE):
        await here.users.split(Script.AGAIN, here.users.people[0])
    while not here.rows(_MADE):
        await asyncio.sleep(0.05)


async def _are_in(here: Stage, song: Script, state: State, since: int) -> None:
    while not here.rows(_IN_STATE, state, song, since):
        await asyncio.sleep(0.02)


async def _cancel(here: Stage, song: Script, state: State, since: int = 0) -> None:
    for row in here.rows(_IN_STATE, state, song, since):
        await here.users.command("cancel", row["user_id"], job=row["id"])


async def _cancel_endless(here: Stage) -> None:
    for state in (State.HELD, State.PROCESSING):
        await _cancel(here, Script.ENDLESS, state)
