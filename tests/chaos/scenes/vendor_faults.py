"""The real bot with real audio, against every simulated vendor in each of its modes."""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from sandbox.song import write_song
from sandbox.vendors.modes import Mode
from sandbox.vendors.vendor import Vendor
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, at_most, none_of, note
from tests.chaos.parallel_runs import run_in_parallel
from tests.chaos.processes import peak_mib
from tests.chaos.scenes.kills import unfinished
from tests.chaos.scenes.vendors import MOST_GROWTH_MIB, unknown_submits

NAME = "conducts"
SONG_S = 4.0
DEADLINE_S = 15.0
HOSTED = 3
OVER_WITHIN_S = HOSTED * DEADLINE_S + 60.0
"""The attempts' deadlines, plus time for failed fetches and a local separation."""
SETTINGS = {"STEMCORD_JOB_TIMEOUT_MINUTES": str(DEADLINE_S / 60)}


@dataclass(slots=True)
class Tally:
    """The outcome of all songs so far."""

    songs: int = 0
    took_s: list[float] = field(default_factory=list)
    growth_mib: list[float] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


async def conducts(home: Path) -> list[Figure]:
    """Send songs to each vendor, by name and by preference, in each of its modes."""
    tally, song = Tally(), await asyncio.to_thread(write_song, home / "Rain.wav", seconds=SONG_S)
    await run_in_parallel([_in(mode, home / mode, song, tally) for mode in Mode])
    return [
        note(NAME, "songs at failing vendors, modes", f"{tally.songs}, {len(Mode)}"),
        at_most(NAME, "until the reply is final, max", max(tally.took_s), OVER_WITHIN_S, " s"),
        none_of(NAME, "submits without an attempt", tally.unknown),
        none_of(NAME, "broken promises", tally.broken),
        at_most(NAME, "memory growth, max", max(tally.growth_mib), MOST_GROWTH_MIB, " MiB"),
    ]


async def _in(mode: Mode, home: Path, song: Path, tally: Tally) -> None:
    """Run one mode with its own bot, because failing vendors go on cooldown."""
    async with open_harness(home, settings=SETTINGS) as harness:
        harness.module, harness.has_vendors = "bot", True
        harness.users.add_song(song)
        vendors = [each for each in harness.sandbox.vendors.all if mode in each.modes]
        async with harness.running_bot() as bot:
            at_rest = peak_mib(bot.pid)
            began = time.monotonic()
            await _send(harness, song.stem, vendors, mode)
            is_drained = await harness.drained(OVER_WITHIN_S)
            tally.took_s.append(time.monotonic() - began)
            tally.growth_mib.append(peak_mib(bot.pid) - at_rest)
            for vendor in vendors:
                vendor.behaviour.change(Mode.OK)
        tally.songs += len(harness.users.answers)
        tally.unknown += [f"{mode}: {said}" for said in unknown_submits(harness)]
        found = unfinished(is_drained) + broken_promises(harness)
        tally.broken += [f"{mode}: {said}" for said in found]


async def _send(harness: ChaosHarness, song: str, vendors: list[Vendor], mode: Mode) -> None:
    """Send one song to each vendor, and one that any provider may take over."""
    people = count()
    for vendor in vendors:
        vendor.behaviour.change(mode)
    for options in (*({"provider": each.name} for each in vendors), {}):
        await harness.users.split(song, harness.users.people[next(people) % 3], **options)
