"""Rows with values unknown to this version: the bot reports them and serves everything else."""

import asyncio
import re
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sandbox.bot_process import environment
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, exactly, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import GO, Script

NAME = "unreadable"
WORD = "paused-by-a-later-version"
NEW_SONGS = 5
DELIVERED_WITHIN_S = 60.0
_HARMLESS = re.compile(r" (DEBUG|INFO) ")
_OLDEST = "SELECT id, user_id FROM jobs ORDER BY rowid"
_STATE = "SELECT state FROM jobs WHERE interaction_id = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A column of one job's rows, and its original value."""

    job_id: str
    table: str
    column: str
    was: str

    def write(self, conn: sqlite3.Connection, word: str) -> None:
        """Write a value into the column."""
        key = "id" if self.table == "jobs" else "job_id"
        conn.execute(
            f"UPDATE {self.table} SET {self.column} = ? WHERE {key} = ?",
            (word, self.job_id),
        )


async def unreadable(home: Path) -> list[Figure]:
    """Corrupt rows of unfinished jobs between two bots, and repair them for the last bot."""
    async with open_harness(home / NAME, people=NEW_SONGS + 4) as harness:
        async with harness.running_bot():
            for person in harness.users.people[:4]:
                await harness.users.split(Script.UNTIL_TOLD, person)
            await _are_processing(harness, 4)
        damages = await asyncio.to_thread(_spoil, harness)
        bot = await harness.start()
        starts = await harness.online(bot)
        delivered = await _serve_others(harness) if starts else 0
        if bot.is_running:
            await bot.stop()
        audit = await _audit(harness)
        (harness.home / "audit").write_text(audit)
        await asyncio.to_thread(_write, harness, {each: each.was for each in damages})
        log = harness.log.read_text()
        (harness.home / GO).touch()
        async with harness.running_bot():
            is_drained = await harness.drained()
        return [
            note(NAME, "rows with an unknown word", f"{len(damages)}"),
            exactly(NAME, "starts with them", int(starts), 1),
            exactly(NAME, "other songs delivered meanwhile", delivered, NEW_SONGS),
            none_of(NAME, "rows that the log does not name", _missing(damages, log)),
            none_of(NAME, "rows that audit does not name", _missing(damages, audit)),
            none_of(
                NAME,
                "broken promises once they are readable",
                unfinished(is_drained) + broken_promises(harness),
            ),
        ]


async def _are_processing(harness: ChaosHarness, count: int) -> None:
    async with asyncio.timeout(DELIVERED_WITHIN_S):
        while harness.rows("SELECT count(*) FROM jobs WHERE state = 'processing'")[0][0] < count:
            await asyncio.sleep(0.05)


def _spoil(harness: ChaosHarness) -> list[Damage]:
    """Corrupt one row in each of three columns. The fourth job stays intact."""
    ids = [row["id"] for row in harness.rows(_OLDEST)]
    columns = [("jobs", "state"), ("jobs", "recipe"), ("attempts", "state")]
    damages = []
    for job_id, (table, column) in zip(ids, columns, strict=False):
        key = "id" if table == "jobs" else "job_id"
        [row] = harness.rows(f"SELECT {column} FROM {table} WHERE {key} = ?", job_id)
        damages.append(Damage(job_id=job_id, table=table, column=column, was=row[column]))
    _write(harness, dict.fromkeys(damages, WORD))
    return damages


def _write(harness: ChaosHarness, words: Mapping[Damage, str]) -> None:
    with closing(sqlite3.connect(harness.data / "stemcord.db")) as conn, conn:
        conn.execute("PRAGMA ignore_check_constraints = ON")
        for damage, word in words.items():
            damage.write(conn, word)


async def _serve_others(harness: ChaosHarness) -> int:
    """Let others send songs and every user list their jobs, and return how many were delivered."""
    people = harness.users.people
    answers = await asyncio.gather(
        *(harness.users.split(Script.PLAIN, person) for person in people[4:]),
    )
    await asyncio.gather(*(harness.users.command("jobs", person) for person in people[:4]))
    ids = [each.interaction_id for each in answers if each.interaction_id is not None]
    try:
        async with asyncio.timeout(DELIVERED_WITHIN_S):
            while _delivered(harness, ids) < NEW_SONGS:
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass  # the figure reports how many were delivered
    return _delivered(harness, ids)


def _delivered(harness: ChaosHarness, interaction_ids: list[int]) -> int:
    rows = [row for each in interaction_ids for row in harness.rows(_STATE, each)]
    return sum(row["state"] == "delivered" for row in rows)


async def _audit(harness: ChaosHarness) -> str:
    """Return the output of the `audit` command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "audit"),
        env=environment(harness.sandbox, harness.data),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode(errors="replace")


def _missing(damages: list[Damage], text: str) -> list[str]:
    """Describe each damage whose job no warning, error or finding in the text names."""
    lines = [line for line in text.splitlines() if not _HARMLESS.search(line)]
    return [
        f"{each.table}.{each.column} of {each.job_id}"
        for each in damages
        if not any(each.job_id in line for line in lines)
    ]
