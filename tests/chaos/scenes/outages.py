"""Discord is unreachable for a while, or every provider is down for good."""

import asyncio
import time
from pathlib import Path

from sandbox.faults import Fault
from tests.chaos.checks import broken_promises
from tests.chaos.harness import open_harness
from tests.chaos.measurements import Figure, at_most, exactly, none_of
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script

SONGS = 20
DEADLINE_S = 6.0


async def discord_gone(home: Path, *, seconds: float) -> list[Figure]:
    """Break every connection to Discord while songs are at providers."""
    name = "Discord gone"
    async with open_harness(home / "discord-gone") as harness:
        async with harness.running_bot():
            for _ in range(SONGS):
                await harness.users.split(Script.SLOW, harness.users.people[0])
            harness.sandbox.faults.add(Fault(route="*", reset=True))
            await harness.sandbox.gateway.drop()
            await asyncio.sleep(seconds)
            harness.sandbox.faults.clear()
            began = time.monotonic()
            is_drained = await harness.drained(120)
            took_s = time.monotonic() - began
        delivered = harness.rows("SELECT count(*) FROM jobs WHERE state = 'delivered'")[0][0]
        return [
            exactly(name, "songs delivered", delivered, SONGS),
            at_most(name, "the last one delivered after its return", took_s, 70, " s"),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


async def providers_gone(home: Path) -> list[Figure]:
    """Make every provider refuse connections until the songs' deadline."""
    name = "providers gone"
    settings = {"STEMCORD_JOB_TIMEOUT_MINUTES": str(DEADLINE_S / 60)}
    async with open_harness(home / "providers-gone", settings=settings) as harness:
        async with harness.running_bot():
            for _ in range(SONGS):
                await harness.users.split(Script.OUT, harness.users.people[0])
            began = time.monotonic()
            is_drained = await harness.drained(120)
            took_s = time.monotonic() - began
        failed = harness.rows("SELECT count(*) FROM jobs WHERE reason = 'providers_failed'")[0][0]
        voided = harness.rows("SELECT count(*) FROM ledger WHERE kind = 'void'")[0][0]
        return [
            exactly(name, "songs failed", failed, SONGS),
            exactly(name, "holds voided", voided, SONGS),
            at_most(
                name, "until all failed, with a deadline of 6 s", took_s, 2 * DEADLINE_S + 15, " s"
            ),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]
