"""Discord is gone for a while; every provider is gone for good."""

import asyncio
import time
from pathlib import Path

from sandbox.faults import Fault
from tests.chaos.checks import broken_promises
from tests.chaos.measurements import Figure, at_most, exactly, none_of
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script
from tests.chaos.stage import stage

SONGS = 20
DEADLINE_S = 6.0


async def discord_gone(home: Path, *, seconds: float) -> list[Figure]:
    """Break every connection to Discord while songs are at their providers."""
    name = "Discord gone"
    async with stage(home / "discord-gone") as here:
        async with here.life():
            for _ in range(SONGS):
                await here.users.split(Script.SLOW, here.users.people[0])
            here.sandbox.faults.add(Fault(route="*", reset=True))
            await here.sandbox.gateway.drop()
            await asyncio.sleep(seconds)
            here.sandbox.faults.clear()
            began = time.monotonic()
            is_drained = await here.drained(120)
            took_s = time.monotonic() - began
        delivered = here.rows("SELECT count(*) FROM jobs WHERE state = 'delivered'")[0][0]
        return [
            exactly(name, "songs delivered all the same", delivered, SONGS),
            at_most(name, "the last of them after it is back", took_s, 70, " s"),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(here)),
        ]


async def providers_gone(home: Path) -> list[Figure]:
    """Let every provider refuse every connection until the songs' deadline."""
    name = "providers gone"
    settings = {"STEMCORD_JOB_TIMEOUT_MINUTES": str(DEADLINE_S / 60)}
    async with stage(home / "providers-gone", settings=settings) as here:
        async with here.life():
            for _ in range(SONGS):
                await here.users.split(Script.OUT, here.users.people[0])
            began = time.monotonic()
            is_drained = await here.drained(120)
            took_s = time.monotonic() - began
        failed = here.rows("SELECT count(*) FROM jobs WHERE reason = 'providers_failed'")[0][0]
        voided = here.rows("SELECT count(*) FROM ledger WHERE kind = 'void'")[0][0]
        return [
            exactly(name, "songs given up", failed, SONGS),
            exactly(name, "holds given back", voided, SONGS),
            at_most(
                name, "given up after, with a deadline of 6 s", took_s, 2 * DEADLINE_S + 15, " s"
            ),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(here)),
        ]
