"""The real bot with real audio, against simulated vendors that misbehave at random."""

import asyncio
from pathlib import Path
from random import Random

from sandbox.song import write_song
from sandbox.vendors.modes import Mode
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, at_most, none_of, note
from tests.chaos.processes import peak_mib
from tests.chaos.scenes.kills import unfinished

NAME = "vendors"
SONG_S = 8.0
A_SONG_EVERY_S = 3.0
DRAINED_WITHIN_S = 300.0
SETTINGS = {"STEMCORD_JOB_TIMEOUT_MINUTES": "0.5"}
MOST_GROWTH_MIB = 50.0
_SENT = "SELECT count(*) FROM attempts WHERE provider = ?"


async def vendors(home: Path, *, seed: int, songs: int) -> list[Figure]:
    """Change a random vendor's mode from time to time while users send songs."""
    random = Random(seed)
    async with open_harness(home / NAME, settings=SETTINGS) as harness:
        harness.module, harness.has_vendors = "bot", True
        song = await asyncio.to_thread(write_song, home / "Neon Rain.wav", seconds=SONG_S)
        harness.users.add_song(song)
        async with harness.running_bot() as bot:
            at_rest = peak_mib(bot.pid)
            misbehaving = asyncio.create_task(_misbehave(harness, random))
            for _ in range(songs):
                harness.users.split_soon(song.stem, random.choice(harness.users.people))
                await asyncio.sleep(A_SONG_EVERY_S)
            misbehaving.cancel()
            for vendor in harness.sandbox.vendors.all:
                vendor.behaviour.change(Mode.OK)
            await harness.users.settle()
            is_drained = await harness.drained(DRAINED_WITHIN_S)
            growth = peak_mib(bot.pid) - at_rest
        ends = harness.rows("SELECT state, count(*) AS jobs FROM jobs GROUP BY state")
        return [
            note(NAME, "songs", ", ".join(f"{row['jobs']} {row['state']}" for row in ends)),
            none_of(NAME, "submits without an attempt", unknown_submits(harness)),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
            at_most(NAME, "memory growth of the bot", growth, MOST_GROWTH_MIB, " MiB"),
        ]


async def _misbehave(harness: ChaosHarness, random: Random) -> None:
    while True:
        vendor = random.choice(harness.sandbox.vendors.all)
        vendor.behaviour.change(random.choice(sorted(vendor.modes)), times=random.randint(1, 3))
        await asyncio.sleep(random.uniform(0.2, 1.5))


def unknown_submits(harness: ChaosHarness) -> list[str]:
    """Describe the vendors that received more submits than there were attempts."""
    known = {
        each.name: harness.rows(_SENT, each.name)[0][0] for each in harness.sandbox.vendors.all
    }
    return [
        f"{each.name}: {each.submits} submits, {known[each.name]} attempts"
        for each in harness.sandbox.vendors.all
        if each.submits > known[each.name]
    ]
