"""The bot dies before, within and after each of its commits, and the next bot continues."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random

from bot.domain.job import State
from sandbox.bot_process import BotProcess
from tests.chaos.bot import CONCURRENCY, GIVE_UP_EARLY
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, Start, open_harness
from tests.chaos.kill_points import KILLED, Moment, Point
from tests.chaos.kill_triggers import TRIGGERS
from tests.chaos.measurements import Figure, none_of, note, recovered
from tests.chaos.parallel_runs import run_in_parallel
from tests.chaos.services import Script

NAME = "crash"
DIES_WITHIN_S = 15.0
TRIES = 3
EXPIRED = "expired"
SHORT = timedelta(seconds=1)
PROCESSED_WITHIN_S = 2.0
SETTINGS = {GIVE_UP_EARLY: "1", CONCURRENCY: "100"}
"""The endless songs that were cancelled keep their places, and must not fill a provider."""
_ALONGSIDE = (Script.PLAIN, Script.AT_ONCE, Script.FAILS, Script.LOST, Script.LATE, Script.BROKEN)
"""Songs that cause no provider's cooldown, so that other songs go to the intended provider."""
_MADE = "SELECT id FROM jobs WHERE state = 'delivered' AND filename LIKE 'again%'"
_NOT_EXPIRED = "SELECT id FROM jobs WHERE NOT files_expired"
_LATEST = "SELECT coalesce(max(rowid), 0) FROM jobs"
_IN_STATE = """\
SELECT id, user_id FROM jobs WHERE state = ? AND filename LIKE ? || '.%' AND rowid > ?"""


@dataclass(slots=True)
class Tally:
    """The outcome of all runs so far."""

    runs: int = 0
    missed: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)


def points(random: Random) -> list[Point]:
    """Return every point in random order, each for the first or second pass."""
    every = [
        Point(step, moment, random.choice((1, 2)) if trigger.songs is None else 1)
        for step, trigger in TRIGGERS.items()
        for moment in Moment
    ]
    random.shuffle(every)
    return every


async def crash(home: Path, *, seeds: Sequence[int], most: int | None = None) -> list[Figure]:
    """Let bots die at every point, or the first `most` of each seed, and check the results."""
    tally = Tally()
    await run_in_parallel([_run_seed(home / f"seed-{seed}", seed, most, tally) for seed in seeds])
    return [
        note(NAME, "deaths at a kill point", f"{tally.runs - len(tally.missed):,}"),
        none_of(NAME, "kill points not reached", tally.missed),
        none_of(NAME, "broken promises", tally.broken),
        recovered(NAME, tally.starts),
    ]


async def _run_seed(home: Path, seed: int, most: int | None, tally: Tally) -> None:
    random = Random(seed)
    async with open_harness(home, settings=SETTINGS) as harness:
        for point in points(random)[:most]:
            tally.runs += 1
            if not await _die_at(harness, point, random):
                tally.missed.append(f"{point} (seed {seed})")
        await harness.users.settle()  # no command may arrive after the last bot has stopped
        async with harness.running_bot():
            await _cancel_endless(harness)
            if not await harness.drained():
                tally.broken.append(f"seed {seed}: some jobs never end")
        tally.broken += [f"seed {seed}: {said}" for said in broken_promises(harness)]
        if most is None:
            tally.runs += len(Moment)
            tally.missed += [f"{point} (seed {seed})" for point in await _expire(harness)]
            tally.broken += [
                f"seed {seed}: {said}" for said in broken_promises(harness, keep=SHORT)
            ]
        tally.starts += harness.starts


async def _die_at(harness: ChaosHarness, point: Point, random: Random) -> bool:
    for _ in range(TRIES):
        bot = await harness.start(point, settings=TRIGGERS[point.step].settings)
        driving = asyncio.create_task(_drive(harness, bot, point, random))
        try:
            async with asyncio.timeout(DIES_WITHIN_S):
                return await bot.wait() == KILLED
        except TimeoutError:
            await bot.kill()
        finally:
            await _stop_driving(driving)
            harness.sandbox.faults.clear()
    return False


async def _drive(harness: ChaosHarness, bot: BotProcess, point: Point, random: Random) -> None:
    if await harness.online(bot):
        await _act(harness, point, random)


async def _stop_driving(driving: asyncio.Task[None]) -> None:
    """Cancel the users' actions on a dead bot. Raises the error with which they ended."""
    driving.cancel()
    await asyncio.wait({driving})
    if not driving.cancelled():
        driving.result()


async def _expire(harness: ChaosHarness) -> list[str]:
    """Let bots die while they delete expired files, and return the points not reached."""
    settings = {"STEMCORD_KEEP_RESULTS_HOURS": str(SHORT / timedelta(hours=1))}
    await asyncio.sleep(2 * SHORT.total_seconds())
    missed = []
    for moment in Moment:
        point = Point(EXPIRED, moment)
        bot = await harness.start(point, settings=settings)
        try:
            async with asyncio.timeout(DIES_WITHIN_S):
                await bot.wait()
        except TimeoutError:
            await bot.kill()
            missed.append(str(point))
    bot = await harness.start(settings=settings)
    try:
        async with asyncio.timeout(DIES_WITHIN_S):
            while harness.rows(_NOT_EXPIRED):
                await asyncio.sleep(0.05)
    except TimeoutError:
        missed.append("the deletion of all expired files")
    await bot.stop()
    return missed


async def _act(harness: ChaosHarness, point: Point, random: Random) -> None:
    """Trigger the point, with other work at the same time."""
    trigger = TRIGGERS[point.step]
    await _cancel_endless(harness)  # jobs left by earlier bots occupy the providers
    latest = int(harness.rows(_LATEST)[0][0])
    for fault in trigger.faults:
        harness.sandbox.faults.add(replace(fault))
    if trigger.song is Script.AGAIN:
        await _have_stems(harness)
    options = {"provider": trigger.provider} if trigger.provider else {}
    for _ in range(trigger.songs or point.nth):
        harness.users.split_soon(trigger.song, harness.users.people[0], **options)
    harness.users.split_soon(random.choice(_ALONGSIDE), random.choice(harness.users.people))
    if trigger.cancelled_in is not None:
        if trigger.cancelled_in is State.HELD:
            await _one_is_processed(harness, trigger.song, latest)
        await _are_in(harness, trigger.song, trigger.cancelled_in, latest)
        await _cancel(harness, trigger.song, trigger.cancelled_in, latest)


async def _one_is_processed(harness: ChaosHarness, song: Script, latest: int) -> None:
    """Wait for the only place to be taken, by one of these songs or by an earlier one."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PROCESSED_WITHIN_S):
            await _are_in(harness, song, State.PROCESSING, latest)


async def _have_stems(harness: ChaosHarness) -> None:
    if not harness.rows(_MADE):
        await harness.users.split(Script.AGAIN, harness.users.people[0])
    while not harness.rows(_MADE):
        await asyncio.sleep(0.05)


async def _are_in(harness: ChaosHarness, song: Script, state: State, since: int) -> None:
    while not harness.rows(_IN_STATE, state, song, since):
        await asyncio.sleep(0.02)


async def _cancel(harness: ChaosHarness, song: Script, state: State, since: int = 0) -> None:
    for row in harness.rows(_IN_STATE, state, song, since):
        await harness.users.command("cancel", row["user_id"], job=row["id"])


async def _cancel_endless(harness: ChaosHarness) -> None:
    for state in (State.HELD, State.PROCESSING):
        await _cancel(harness, Script.ENDLESS, state)
