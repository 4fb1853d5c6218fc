"""Store trouble: a locked database, a full disk and a wrong clock."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from bot.accounts.disk_guard import LOOK_EVERY_S, RESERVE_BYTES
from bot.domain.errors import Problem, Reason
from bot.ui.texts.messages import problem
from sandbox.interactions import ANSWER_WITHIN_S
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script
from tests.chaos.small_disk import fill_up, small_disk

SENTENCES = frozenset({problem(Problem(Reason.BUSY)), problem(Problem(Reason.DISK_FULL))})
DISK_MIB = RESERVE_BYTES // 2**20 + 64
ACCEPTED_WITHIN_S = LOOK_EVERY_S + 5
DAY_S = 86_400
HEALED_WITHIN_S = 60.0
_BEFORE = [Script.SLOW] * 8 + [Script.PLAIN] * 4


async def locked(
    home: Path, *, seconds: float, answer_within_s: float = ANSWER_WITHIN_S
) -> list[Figure]:
    """Lock the database of a busy bot."""
    name = "locked"
    opening = open_harness(home / name, people=10, answer_within_s=answer_within_s)
    async with opening as harness, harness.running_bot():
        await _at_work(harness)
        with closing(sqlite3.connect(harness.data / "stemcord.db", isolation_level=None)) as other:
            other.execute("PRAGMA busy_timeout = 10000")
            other.execute("BEGIN EXCLUSIVE")
            refused = await _ask_for(harness, seconds)
        return _refused_politely(name, refused) + await _healed(name, harness)


async def full(home: Path, *, seconds: float) -> list[Figure]:
    """Fill the disk of a busy bot."""
    name = "disk full"
    async with open_harness(home / name.replace(" ", "-"), people=10) as harness:
        harness.data.mkdir()
        with small_disk(harness.data, DISK_MIB) as is_mounted:
            if not is_mounted:
                return [note(name, "skipped: this user may not mount", "")]
            async with harness.running_bot():
                await _at_work(harness)
                ballast = harness.data / "ballast"
                fill_up(ballast)
                refused = await _ask_for(harness, seconds)
                ballast.unlink()
                return _refused_politely(name, refused) + await _healed(name, harness)


async def jumped(home: Path, *, seconds: float) -> list[Figure]:
    """Move the clock of a busy bot by a day, forwards and backwards."""
    name = "clock"
    async with open_harness(home / name, people=10) as harness, harness.running_bot():
        for offset_s in (DAY_S, 0, -DAY_S, 0):
            await _at_work(harness)
            harness.shift_clock(offset_s)
            await _ask_for(harness, seconds)
        return await _healed(name, harness)


async def _at_work(harness: ChaosHarness) -> None:
    for number, song in enumerate(_BEFORE):
        await harness.users.split(song, harness.users.people[number % len(harness.users.people)])


async def _ask_for(harness: ChaosHarness, seconds: float) -> list[str]:
    """Let users send songs for a while, and return the text of each answer."""
    before = len(harness.users.answers)
    for number in range(int(2 * seconds)):
        harness.users.split_soon(
            Script.PLAIN, harness.users.people[number % len(harness.users.people)]
        )
        await asyncio.sleep(0.5)
    await harness.users.settle()
    return [harness.text(each) or each.refusal for each in harness.users.answers[before:]]


def _refused_politely(name: str, said: list[str]) -> list[Figure]:
    """Report whether every song in the meantime was refused with a reason."""
    polite = sum(each in SENTENCES for each in said)
    return [exactly(name, "new songs refused with a sentence", polite, len(said))]


async def _healed(name: str, harness: ChaosHarness) -> list[Figure]:
    """Report how soon new songs are accepted again, and whether every job ended well."""
    began = time.monotonic()
    while True:
        answer = await harness.users.split(Script.PLAIN, harness.users.people[0])
        if harness.rows("SELECT 1 FROM jobs WHERE interaction_id = ?", answer.interaction_id):
            break
        await asyncio.sleep(0.2)
    heals_s = time.monotonic() - began
    is_drained = await harness.drained(HEALED_WITHIN_S)
    ends = harness.rows("SELECT count(*) FROM jobs WHERE state = 'failed'")[0][0]
    return [
        at_most(name, "until a new song is accepted again", heals_s, ACCEPTED_WITHIN_S, " s"),
        exactly(name, "songs failed because of it", ends, 0),
        none_of(name, "broken promises", unfinished(is_drained) + broken_promises(harness)),
    ]
