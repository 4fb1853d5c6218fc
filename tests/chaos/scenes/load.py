"""Heavy load: measures answer times and checks that quotas hold."""

import asyncio
import time
from pathlib import Path
from random import Random

from tests.chaos.bot import CONCURRENCY
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.lag import idle_beside, lag_ms
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note, percentile
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import SECOND, Script

COMMANDS_A_SECOND = 20
_SETTINGS = {CONCURRENCY: "32", "STEMCORD_POLL_MIN_S": "2", "STEMCORD_POLL_MAX_S": "15"}
"""Default poll intervals, and providers that accept many songs."""
_MIX = ("split",) * 6 + ("jobs",) * 2 + ("quota",) * 2


async def steady_load(home: Path, *, seed: int, open_jobs: int, seconds: float) -> list[Figure]:
    """Keep jobs open while users send commands at a steady rate."""
    name, random = "load", Random(seed)
    async with open_harness(home / name, people=open_jobs, settings=_SETTINGS) as harness:
        beside = harness.home / "beside"
        async with harness.running_bot(), idle_beside(beside):
            for person in harness.users.people:
                await harness.users.split(Script.ENDLESS, person)
            late_beside = len(lag_ms(beside))
            before = len(harness.users.answers)
            late_before = len(harness.lag_ms())
            due = time.monotonic()
            for _ in range(int(seconds * COMMANDS_A_SECOND)):
                _send_one(harness, random)
                due += 1 / COMMANDS_A_SECOND
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await harness.users.settle()
            took_s = [each.took_s for each in harness.users.answers[before:]]
            late_ms = harness.lag_ms()[late_before:]
            beside_ms = lag_ms(beside)[late_beside:]
            silent = [each.refusal for each in harness.users.answers if each.message_id is None]
        return [
            note(name, f"commands with {open_jobs} open jobs", f"{len(took_s)}"),
            none_of(name, "commands without an answer", silent),
            at_most(name, "acknowledged, p99", percentile(took_s, 0.99), 0.5, " s"),
            at_most(name, "acknowledged, max", max(took_s), 2, " s"),
            at_most(name, "loop lag, p99", percentile(late_ms, 0.99), 100, " ms"),
            note(
                name, "lag of an idle loop meanwhile, p99", f"{percentile(beside_ms, 0.99):.3g} ms"
            ),
        ]


async def rush(home: Path, *, commands: int) -> list[Figure]:
    """Let every user send a song within one second."""
    name = "rush"
    async with open_harness(home / name, people=commands) as harness:
        async with harness.running_bot():
            for person in harness.users.people:
                harness.users.split_soon(Script.PLAIN, person)
                await asyncio.sleep(1 / commands)
            await harness.users.settle()
            is_drained = await harness.drained()
        answered = sum(each.message_id is not None for each in harness.users.answers)
        return [
            exactly(name, "commands in one second, answered", answered, commands),
            at_most(name, "answered, max", max(e.took_s for e in harness.users.answers), 3, " s"),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


async def greedy(home: Path, *, songs: int, room: int) -> list[Figure]:
    """Let one user send more songs at the same time than their minutes allow."""
    name = "greedy"
    settings = {"STEMCORD_QUOTA_MINUTES": str(2 * room)}  # each song takes two minutes
    async with open_harness(home / name, people=1, settings=settings) as harness:
        async with harness.running_bot():
            for _ in range(songs):
                harness.users.split_soon(Script.PLAIN, harness.users.people[0])
            await harness.users.settle()
            is_drained = await harness.drained()
        held = harness.rows("SELECT count(*) FROM ledger WHERE kind = 'hold'")[0][0]
        return [
            exactly(name, f"of {songs} songs with room for {room}, held", held, room),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


def _send_one(harness: ChaosHarness, random: Random) -> None:
    person = random.choice(harness.users.people)
    match random.choice(_MIX):
        case "split":
            harness.users.split_soon(Script.PLAIN, person, provider=SECOND)
        case command:
            harness.users.command_soon(command, person)
