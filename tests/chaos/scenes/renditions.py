"""Bots die while they render or zip; the next bot delivers jobs and reports lost requests."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sandbox.entities import Message
from sandbox.simulated_users import Answer
from tests.chaos import bot as chaos_bot
from tests.chaos.checks import INTERRUPTED, broken_promises, charged_otherwise, custom_ids
from tests.chaos.harness import ChaosHarness, Start, open_harness
from tests.chaos.kill_points import Moment, Point
from tests.chaos.measurements import Figure, none_of, recovered, some
from tests.chaos.parallel_runs import run_in_parallel
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script

NAME = "renditions"
STEPS = ("held>submitting", "processing>ready", "ready>delivered")
KEY, SPEED = -2, 90
ZIP = "zip:mp3"
WAYS = ("stems", "song", ZIP)
"""Two named mixes, and an entry of the menu below a result."""
DIES_WITHIN_S = 20.0
SHOWN_WITHIN_S = 20.0
MOST_S = 1.0
"""The longest time from a command to a kill at a random time."""
ASK_AGAIN = ("r:", "zip:")
_FINISHED = "SELECT id, user_id, message_id FROM jobs WHERE state = 'delivered' ORDER BY rowid"
_OPEN = "SELECT interaction_id FROM open_replies"
_WANTED = "SELECT id, message_id FROM jobs WHERE rendition <> '{}' AND state = 'delivered'"
_OTHERWISE = "SELECT id, sent FROM jobs WHERE sent IS NOT NULL"


@dataclass(slots=True)
class Tally:
    """The outcome of all runs so far."""

    deaths: int = 0
    interrupted: int = 0
    again: int = 0
    broken: list[str] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)


async def renditions(home: Path, *, seeds: Sequence[int], rounds: int) -> list[Figure]:
    """Kill bots that render for jobs and redeliveries, at kill points and at random times."""
    tally = Tally()
    await run_in_parallel(
        [_run_seed(home / f"{NAME}-{seed}", seed, rounds, tally) for seed in seeds]
    )
    return [
        some(NAME, "deaths in the middle of a rendition", tally.deaths),
        some(NAME, "replies that said so", tally.interrupted),
        some(NAME, "of them asked for again", tally.again),
        none_of(NAME, "broken promises", tally.broken),
        recovered(NAME, tally.starts),
    ]


async def _run_seed(home: Path, seed: int, rounds: int, tally: Tally) -> None:
    random = Random(seed)
    async with open_harness(home, people=3) as harness:
        async with harness.running_bot():
            for person in harness.users.people:
                await harness.users.split(Script.PLAIN, person)
            await harness.drained()
        found: list[str] = []
        for number in range(rounds):
            point = Point(random.choice(STEPS), random.choice([*Moment])) if number % 2 else None
            found += await _round(harness, point, random, tally)
        await harness.users.settle()
        async with harness.running_bot():
            found += unfinished(await harness.drained())
            await _until_closed(harness)
        found += [*broken_promises(harness), *_amiss(harness)]
        tally.broken += [f"seed {seed}: {said}" for said in found]
        tally.starts += harness.starts


async def _round(
    harness: ChaosHarness, point: Point | None, random: Random, tally: Tally
) -> list[str]:
    """Let a bot die while it renders, and check what the next bot says and does."""
    waits = harness.home / chaos_bot.ENCODINGS_WAIT
    if point is None:
        waits.touch()  # otherwise it would end before the kill
    bot = await harness.start(point)
    await harness.online(bot)
    requests = [
        asyncio.create_task(_request(harness, row, random.choice(WAYS)))
        for row in _first_of_each(harness)
    ]
    splits = asyncio.create_task(
        harness.users.split(
            Script.AT_ONCE, random.choice(harness.users.people), key=KEY, speed=SPEED
        )
    )
    if point is None:
        answers = await asyncio.gather(*requests)
        await asyncio.sleep(random.uniform(0, MOST_S))
        await bot.kill()
    else:
        try:
            async with asyncio.timeout(DIES_WITHIN_S):
                await bot.wait()
        except TimeoutError:
            await bot.kill()
        answers = await asyncio.gather(*requests)
    await asyncio.gather(splits, return_exceptions=True)
    tally.deaths += 1
    waits.unlink(missing_ok=True)
    async with harness.running_bot():
        await _until_closed(harness)
        await harness.drained()
        return await _asked_again(harness, [each.message_id for each in answers], tally)


async def _request(harness: ChaosHarness, row: sqlite3.Row, way: str) -> Answer:
    """Request a finished job as a rendition, or all of its stems in one file."""
    person, job_id = row["user_id"], row["id"]
    if way == ZIP:
        return await harness.users.choose(row["message_id"], f"extra:{job_id}:plain", ZIP, person)
    return await harness.users.command("remix", person, job=job_id, key=KEY, mix=way)


async def _asked_again(
    harness: ChaosHarness, replies: Sequence[int | None], tally: Tally
) -> list[str]:
    """Press the button of each interrupted reply, and describe replies in no expected state."""
    broken = []
    for message_id in replies:
        message = harness.sandbox.world.messages.get(message_id or 0)
        if message is None:
            continue  # Discord did not get the answer
        if not _says_interrupted(message):
            if not (message.attachments or message.content):
                broken.append(f"a reply stays as it was: {message.embeds}")
            continue
        tally.interrupted += 1
        custom_id = next((each for each in custom_ids(message) if each.startswith(ASK_AGAIN)), "")
        answer = await harness.users.press(message.id, custom_id, _asker(message))
        await _until_closed(harness)
        again = harness.sandbox.world.messages.get(answer.message_id or 0)
        if again is None or not again.attachments:
            broken.append(f"asking again brought nothing: {answer}")
        else:
            tally.again += 1
    return broken


async def _until_closed(harness: ChaosHarness) -> None:
    try:
        async with asyncio.timeout(SHOWN_WITHIN_S):
            while harness.rows(_OPEN):
                await asyncio.sleep(0.05)
    except TimeoutError:
        return  # checked at the end


def _first_of_each(harness: ChaosHarness) -> list[sqlite3.Row]:
    """Return a finished job of each person, because each may have one request at a time."""
    found = {row["user_id"]: row for row in reversed(harness.rows(_FINISHED))}
    return [*found.values()]


def _says_interrupted(message: Message) -> bool:
    return any(INTERRUPTED in str(embed) for embed in message.embeds)


def _asker(message: Message) -> int:
    assert message.cause is not None
    return message.cause.user_id


def _amiss(harness: ChaosHarness) -> Iterator[str]:
    """Describe what renditions left behind after all work has ended."""
    for row in harness.rows(_OPEN):
        yield f"reply {row['interaction_id']} is still on record"
    yield from charged_otherwise(harness)
    for row in harness.rows(_OTHERWISE):
        yield f"{row['id']} was delivered otherwise: {row['sent']}"
    for row in harness.rows(_WANTED):
        message = harness.sandbox.world.messages.get(row["message_id"] or 0)
        names = [each.filename for each in message.attachments] if message else []
        if message is not None and not any("-2" in name and "90" in name for name in names):
            yield f"{row['id']} was delivered without its rendition: {names}"
    for path in (harness.data / "jobs").rglob("*"):
        if path.is_file() and (path.suffix == ".part" or "rendered" in path.name):
            yield f"a rendered file is left: {path.name}"
        if path.name == "parcel" and any(path.iterdir()):
            yield f"a scratch folder is left: {path}"
