"""More people than usual: how soon they are answered, and that nobody gets more than there is."""

import asyncio
import time
from pathlib import Path
from random import Random

from tests.chaos.bot import PLACES
from tests.chaos.checks import broken_promises
from tests.chaos.lag import idle_beside, lag_ms
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note, percentile
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import SECOND, Script
from tests.chaos.stage import Stage, stage

COMMANDS_A_SECOND = 20
_SETTINGS = {PLACES: "32", "STEMCORD_POLL_MIN_S": "2", "STEMCORD_POLL_MAX_S": "15"}
"""As often as the settings' defaults poll, at services that take many songs."""
_MIX = ("split",) * 6 + ("jobs",) * 2 + ("quota",) * 2


async def live_bot(home: Path, *, seed: int, open_jobs: int, seconds: float) -> list[Figure]:
    """Keep jobs open, and have people use commands at a steady rate."""
    name, random = "load", Random(seed)
    async with stage(home / name, people=open_jobs, settings=_SETTINGS) as here:
        beside = here.home / "beside"
        async with here.life(), idle_beside(beside):
            for person in here.users.people:
                await here.users.split(Script.ENDLESS, person)
            late_beside = len(lag_ms(beside))
            before = len(here.users.answers)
            late_before = len(here.lag_ms())
            due = time.monotonic()
            for _ in range(int(seconds * COMMANDS_A_SECOND)):
                _someone_asks(here, random)
                due += 1 / COMMANDS_A_SECOND
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await here.users.settle()
            took_s = [each.took_s for each in here.users.answers[before:]]
            late_ms = here.lag_ms()[late_before:]
            beside_ms = lag_ms(beside)[late_beside:]
            silent = [each.refusal for each in here.users.answers if each.message_id is None]
        return [
            note(name, f"commands with {open_jobs} open jobs", f"{len(took_s)}"),
            none_of(name, "commands without an answer", silent),
            at_most(name, "acknowledged, p99", percentile(took_s, 0.99), 0.5, " s"),
            at_most(name, "acknowledged, max", max(took_s), 2, " s"),
            at_most(name, "loop lag, p99", percentile(late_ms, 0.99), 100, " ms"),
            note(
                name, "an idle loop's lag beside it, p99", f"{percentile(beside_ms, 0.99):.3g} ms"
            ),
        ]


async def rush(home: Path, *, commands: int) -> list[Figure]:
    """Have everybody send a song within one second."""
    name = "rush"
    async with stage(home / name, people=commands) as here:
        async with here.life():
            for person in here.users.people:
                here.users.soon(Script.PLAIN, person)
                await asyncio.sleep(1 / commands)
            await here.users.settle()
            is_drained = await here.drained()
        answered = sum(each.message_id is not None for each in here.users.answers)
        return [
            exactly(name, "commands in a second that are answered", answered, commands),
            at_most(name, "answered, max", max(e.took_s for e in here.users.answers), 3, " s"),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(here)),
        ]


async def greedy(home: Path, *, songs: int, room: int) -> list[Figure]:
    """Have one person send more songs at once than their minutes allow."""
    name = "greedy"
    settings = {"STEMCORD_QUOTA_MINUTES": str(2 * room)}  # a song here takes two
    async with stage(home / name, people=1, settings=settings) as here:
        async with here.life():
            for _ in range(songs):
                here.users.soon(Script.PLAIN, here.users.people[0])
            await here.users.settle()
            is_drained = await here.drained()
        held = here.rows("SELECT count(*) FROM ledger WHERE kind = 'hold'")[0][0]
        return [
            exactly(name, f"of {songs} songs with room for {room}, held", held, room),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(here)),
        ]


def _someone_asks(here: Stage, random: Random) -> None:
    person = random.choice(here.users.people)
    match random.choice(_MIX):
        case "split":
            here.users.soon(Script.PLAIN, person, provider=SECOND)
        case command:
            here.users.ask_soon(command, person)
