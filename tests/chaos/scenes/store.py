"""The store out of reach: its database locked by somebody else, its disk full, its clock wrong."""

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot.accounts.disk_guard import LOOK_EVERY_S, RESERVE_BYTES
from bot.domain.errors import Problem, Reason
from bot.ui.texts.messages import problem
from sandbox.interactions import ANSWER_WITHIN_S
from tests.chaos.checks import broken_promises
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script
from tests.chaos.stage import Stage, stage

SENTENCES = frozenset({problem(Problem(Reason.BUSY)), problem(Problem(Reason.DISK_FULL))})
DISK_MIB = RESERVE_BYTES // 2**20 + 64
TAKEN_AGAIN_WITHIN_S = LOOK_EVERY_S + 5
DAY_S = 86_400
HEALED_WITHIN_S = 60.0
_BEFORE = [Script.SLOW] * 8 + [Script.PLAIN] * 4


async def locked(
    home: Path, *, seconds: float, answer_within_s: float = ANSWER_WITHIN_S
) -> list[Figure]:
    """Lock the database of a bot at work."""
    name = "locked"
    setting = stage(home / name, people=10, answer_within_s=answer_within_s)
    async with setting as here, here.life():
        await _at_work(here)
        with closing(sqlite3.connect(here.data / "stemcord.db", isolation_level=None)) as other:
            other.execute("PRAGMA busy_timeout = 10000")
            other.execute("BEGIN EXCLUSIVE")
            refused = await _ask_for(here, seconds)
        return _refused_politely(name, refused) + await _healed(name, here)


async def full(home: Path, *, seconds: float) -> list[Figure]:
    """Fill the disk of a bot at work."""
    name = "disk full"
    async with stage(home / name.replace(" ", "-"), people=10) as here:
        here.data.mkdir()
        with _small_disk(here.data) as is_mounted:
            if not is_mounted:
                return [note(name, "left out: mounting is not permitted here", "")]
            async with here.life():
                await _at_work(here)
                ballast = here.data / "ballast"
                _fill_up(ballast)
                refused = await _ask_for(here, seconds)
                ballast.unlink()
                return _refused_politely(name, refused) + await _healed(name, here)


async def jumped(home: Path, *, seconds: float) -> list[Figure]:
    """Move the clock of a bot at work by a day, forth and back."""
    name = "clock"
    async with stage(home / name, people=10) as here, here.life():
        for jump_s in (DAY_S, 0, -DAY_S, 0):
            await _at_work(here)
            here.jump(jump_s)
            await _ask_for(here, seconds)
        return await _healed(name, here)


async def _at_work(here: Stage) -> None:
    for number, song in enumerate(_BEFORE):
        await here.users.split(song, here.users.people[number % len(here.users.people)])


async def _ask_for(here: Stage, seconds: float) -> list[str]:
    """Have people send songs for a while; return what each was told."""
    before = len(here.users.answers)
    for number in range(int(2 * seconds)):
        here.users.soon(Script.PLAIN, here.users.people[number % len(here.users.people)])
        await asyncio.sleep(0.5)
    await here.users.settle()
    return [here.said(each) or each.refusal for each in here.users.answers[before:]]


def _refused_politely(name: str, said: list[str]) -> list[Figure]:
    """Say how the people were answered who came in the meantime."""
    polite = sum(each in SENTENCES for each in said)
    return [exactly(name, "new songs refused with a sentence", polite, len(said))]


async def _healed(name: str, here: Stage) -> list[Figure]:
    """Say how long it took until a new song was delivered, and what became of all."""
    began = time.monotonic()
    while True:
        answer = await here.users.split(Script.PLAIN, here.users.people[0])
        if here.rows("SELECT 1 FROM jobs WHERE interaction_id = ?", answer.interaction_id):
            break
        await asyncio.sleep(0.2)
    heals_s = time.monotonic() - began
    is_drained = await here.drained(HEALED_WITHIN_S)
    ends = here.rows("SELECT count(*) FROM jobs WHERE state = 'failed'")[0][0]
    return [
        at_most(name, "a new song is taken again after", heals_s, TAKEN_AGAIN_WITHIN_S, " s"),
        exactly(name, "songs that failed for it", ends, 0),
        none_of(name, "broken promises", unfinished(is_drained) + broken_promises(here)),
    ]


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """Put a disk of a few MiB there; False where this user may not."""
    size = f"size={DISK_MIB}m,mode=0700"
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "stemcord", folder], capture_output=True, check=False
    )
    try:
        yield mounting.returncode == 0
    finally:
        if mounting.returncode == 0:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _fill_up(ballast: Path) -> None:
    """Take all room that is left."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1 << 8, 1):
            try:
                while file.write(bytes(size)) == size:
                    continue
            except OSError:
                continue
        os.fsync(file.fileno())
