"""Bots die in the middle of batches and zips; the next continues batches and reports lost zips."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sandbox.entities import Message
from tests.chaos import bot as chaos_bot
from tests.chaos.checks import INTERRUPTED, broken_promises, charged_otherwise, custom_ids
from tests.chaos.harness import ChaosHarness, Start, open_harness
from tests.chaos.kill_points import KILLED, Moment, Point
from tests.chaos.measurements import Figure, none_of, note, recovered, some
from tests.chaos.parallel_runs import run_in_parallel
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script

NAME = "batch"
SONGS = (Script.PLAIN, Script.AT_ONCE, Script.NOBODY, Script.SLOW, Script.BROKEN, Script.FAILS)
AT_ONCE = 2
SETTINGS = {chaos_bot.GIVE_UP_EARLY: "1", "STEMCORD_MAX_ACTIVE_JOBS": str(AT_ONCE)}
STEPS = (
    "new",
    "received>held",
    "received>failed",
    "held>submitting",
    "submitting>processing",
    "submitting>failed",
    "processing>ready",
    "ready>delivered",
)
DIES_WITHIN_S = 20.0
SHOWN_WITHIN_S = 20.0
_BATCHES = "SELECT id, message_id, is_final FROM batches"
_SONGS = """\
SELECT batch_songs.batch_id, number, job_id, batch_songs.reason, jobs.state
FROM batch_songs LEFT JOIN jobs ON jobs.id = job_id"""
_STRAY = """\
SELECT id FROM jobs
WHERE batch_id IS NULL OR id NOT IN (SELECT job_id FROM batch_songs WHERE job_id IS NOT NULL)"""
_MOST_ACTIVE = "SELECT count(*) FROM jobs WHERE NOT is_final"
_ZIPPING = "SELECT count(*) FROM open_replies"


@dataclass(slots=True)
class Tally:
    """The outcome of all runs so far."""

    deaths: int = 0
    batches: int = 0
    zips: int = 0
    missed: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)


async def batch(home: Path, *, seeds: Sequence[int], most: int | None = None) -> list[Figure]:
    """Let bots die while they split batches, at every point or the first `most` of each seed."""
    tally = Tally()
    await run_in_parallel([_run_seed(home / f"{NAME}-{seed}", seed, most, tally) for seed in seeds])
    return [
        some(NAME, "deaths in the middle of a batch", tally.deaths),
        some(NAME, "batches", tally.batches),
        some(NAME, "zips interrupted by a death", tally.zips),
        note(NAME, "kill points not reached", ", ".join(tally.missed) or "0"),
        none_of(NAME, "broken promises", tally.broken),
        recovered(NAME, tally.starts),
    ]


async def _run_seed(home: Path, seed: int, most: int | None, tally: Tally) -> None:
    random = Random(seed)
    points = [Point(step, moment, random.choice((1, 2))) for step in STEPS for moment in Moment]
    random.shuffle(points)
    points = points[:most]
    async with open_harness(home, people=len(points), settings=SETTINGS) as harness:
        for point, person in zip(points, harness.users.people, strict=True):
            if not await _die_at(harness, point, person, random):
                tally.missed.append(f"{point} (seed {seed})")
            tally.deaths += 1
        await harness.users.settle()
        async with harness.running_bot():
            is_drained = await harness.drained()
        tally.broken += unfinished(is_drained)
        tally.zips += await _die_while_zipping(harness, tally)
        found = [*broken_promises(harness), *_amiss(harness)]
        tally.broken += [f"seed {seed}: {said}" for said in found]
        tally.batches += len(harness.rows(_BATCHES))
        tally.starts += harness.starts


async def _die_at(harness: ChaosHarness, point: Point, person: int, random: Random) -> bool:
    """Submit a batch, and let the bot die; return whether it died at the point itself."""
    bot = await harness.start(point)
    if await harness.online(bot):
        songs = [*SONGS]
        random.shuffle(songs)
        asking = asyncio.create_task(harness.users.batch(songs, person))
        try:
            async with asyncio.timeout(DIES_WITHIN_S):
                return await bot.wait() == KILLED
        except TimeoutError:
            await bot.kill()
            return False
        finally:
            await asyncio.gather(asking, return_exceptions=True)
    return await bot.wait() == KILLED


async def _die_while_zipping(harness: ChaosHarness, tally: Tally) -> int:
    """Ask for a zip, kill the bot that makes it, and check the next bot's answer."""
    waits = harness.home / chaos_bot.ENCODINGS_WAIT
    waits.touch()
    bot = await harness.start()
    await harness.online(bot)
    card, person = _card_with_menu(harness)
    if card is None:
        await bot.kill()
        return 0
    custom_id = next(each for each in custom_ids(card) if each.startswith("song-of:"))
    answer = await harness.users.choose(card.id, custom_id, "all", person)
    await _until_zipping(harness)
    await bot.kill()
    waits.unlink()
    async with harness.running_bot():
        try:
            async with asyncio.timeout(SHOWN_WITHIN_S):
                while not _says_interrupted(harness, answer.message_id):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            tally.broken.append("an interrupted zip says nothing")
    return 1


async def _until_zipping(harness: ChaosHarness) -> None:
    async with asyncio.timeout(DIES_WITHIN_S):
        while not harness.rows(_ZIPPING)[0][0]:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)  # the answer comes after the record


def _says_interrupted(harness: ChaosHarness, message_id: int | None) -> bool:
    message = harness.sandbox.world.messages.get(message_id or 0)
    if message is None:
        return False
    texts = [str(embed) for embed in message.embeds]
    has_button = any(each.startswith("zip-all:") for each in custom_ids(message))
    return has_button and any(INTERRUPTED in text for text in texts)


def _card_with_menu(harness: ChaosHarness) -> tuple[Message | None, int]:
    for row in harness.rows("SELECT message_id, user_id FROM batches"):
        message = harness.sandbox.world.messages.get(row["message_id"] or 0)
        if message is not None and any(each.startswith("song-of:") for each in custom_ids(message)):
            return message, row["user_id"]
    return None, 0


def _amiss(harness: ChaosHarness) -> Iterator[str]:
    """Describe the faults of batches after all work has ended."""
    for row in harness.rows(_STRAY):
        yield f"{row['id']} belongs to no song of a batch"
    yield from charged_otherwise(harness)
    cards = {row["id"]: row["message_id"] for row in harness.rows(_BATCHES)}
    for row in harness.rows(_SONGS):
        if row["job_id"] is None and row["reason"] is None:
            yield f"song {row['number']} of {row['batch_id']} has no end"
        message = harness.sandbox.world.messages.get(cards[row["batch_id"]] or 0)
        if message is None or not message.embeds:
            continue  # Discord did not get the answer, or a restart withdrew the batch
        lines = message.embeds[0].get("description", "").split("\n")
        is_done = ", 1:40" in next(each for each in lines if each.startswith(f"{row['number']}."))
        if is_done is not (row["state"] == "delivered"):
            yield f"the card of {row['batch_id']} shows song {row['number']} otherwise"
