"""The real bot, with real sound, at the vendors' stand-ins, which misbehave at random."""

import asyncio
from pathlib import Path
from random import Random

from sandbox.song import write_song
from sandbox.vendors.modes import Mode
from tests.chaos.checks import broken_promises
from tests.chaos.measurements import Figure, at_most, none_of, note
from tests.chaos.processes import peak_mib
from tests.chaos.scenes.kills import unfinished
from tests.chaos.stage import Stage, stage

NAME = "vendors"
SONG_S = 8.0
A_SONG_EVERY_S = 3.0
DRAINED_WITHIN_S = 300.0
SETTINGS = {"STEMCORD_JOB_TIMEOUT_MINUTES": "0.5"}
MOST_GROWTH_MIB = 50.0
_SENT = "SELECT count(*) FROM attempts WHERE provider = ?"


async def vendors(home: Path, *, seed: int, songs: int) -> list[Figure]:
    """Change one vendor's ways every now and then, while songs come in."""
    random = Random(seed)
    async with stage(home / NAME, settings=SETTINGS) as here:
        here.module, here.has_vendors = "bot", True
        song = await asyncio.to_thread(write_song, home / "Neon Rain.wav", seconds=SONG_S)
        here.users.bring(song)
        async with here.life() as bot:
            at_rest = peak_mib(bot.pid)
            misbehaving = asyncio.create_task(_misbehave(here, random))
            for _ in range(songs):
                here.users.soon(song.stem, random.choice(here.users.people))
                await asyncio.sleep(A_SONG_EVERY_S)
            misbehaving.cancel()
            for vendor in here.sandbox.vendors.all:
                vendor.behaviour.change(Mode.OK)
            await here.users.settle()
            is_drained = await here.drained(DRAINED_WITHIN_S)
            growth = peak_mib(bot.pid) - at_rest
        ends = here.rows("SELECT state, count(*) AS jobs FROM jobs GROUP BY state")
        return [
            note(NAME, "songs", ", ".join(f"{row['jobs']} {row['state']}" for row in ends)),
            none_of(NAME, "submits that no attempt tells of", unknown_submits(here)),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(here)),
            at_most(NAME, "more memory for the bot than at rest", growth, MOST_GROWTH_MIB, " MiB"),
        ]


async def _misbehave(here: Stage, random: Random) -> None:
    while True:
        vendor = random.choice(here.sandbox.vendors.all)
        vendor.behaviour.change(random.choice(sorted(vendor.modes)), times=random.randint(1, 3))
        await asyncio.sleep(random.uniform(0.2, 1.5))


def unknown_submits(here: Stage) -> list[str]:
    """Return the vendors that more submits reached than the books have attempts."""
    known = {each.name: here.rows(_SENT, each.name)[0][0] for each in here.sandbox.vendors.all}
    return [
        f"{each.name}: {each.submits} submits, {known[each.name]} attempts"
        for each in here.sandbox.vendors.all
        if each.submits > known[each.name]
    ]
