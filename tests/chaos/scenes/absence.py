"""Discord is unreachable for more than a day of accelerated time: stems wait, and nothing spins.

The outage is longer than 1,024 pauses of a minute, at which an exponential backoff overflows if it
raises to the power before it applies the cap.
"""

import asyncio
import time
from pathlib import Path

from sandbox.faults import Fault
from tests.chaos.bot import FAST
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note
from tests.chaos.processes import cpu_s
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script

NAME = "absence"
KEEP_HOURS = 48
SETTINGS = {FAST: "1", "STEMCORD_KEEP_RESULTS_HOURS": str(KEEP_HOURS)}
SONGS = {Script.SLOW: 2, Script.NOBODY: 1}
"""Songs that become ready during the outage, and songs that fail."""
READY_WITHIN_S = 30.0
STEMS_EACH, MOST_FORMATS = 2, 2
LOOKS_FOR_S = 10.0
"""How long the bot is observed at normal speed at the end of the outage."""
MOST_REQUESTS_A_REPLY = 15
"""One try for each of three routes, repeated up to five times by the library."""
BACK_SPEED = 10.0
DELIVERED_WITHIN_S = 120.0
"""In the bot's time: the longest pause plus the delivery."""
_STATES = "SELECT state, count(*) AS jobs FROM jobs GROUP BY state"


async def absence(home: Path, *, hours: float, speed: float) -> list[Figure]:
    """Make Discord unreachable with songs in progress, and restore it before the stems expire."""
    async with open_harness(home / NAME, people=sum(SONGS.values()), settings=SETTINGS) as harness:
        async with harness.running_bot() as bot:
            await _send_unseen(harness)
            harness.sandbox.faults.add(Fault(route="*", reset=True))
            await harness.sandbox.gateway.drop()
            lines_before = _log_lines(harness)
            passed_s = await _pass(harness, hours * 3600, speed)
            lines = _log_lines(harness) - lines_before
            cpu_before_s = cpu_s(bot.pid)
            requests = await _requests(harness)
            busy_s = cpu_s(bot.pid) - cpu_before_s
            waiting = {row["state"]: row["jobs"] for row in harness.rows(_STATES)}
            encodings = harness.encodings()
            took_s, is_drained = await _return(harness)
        delivered = {row["state"]: row["jobs"] for row in harness.rows(_STATES)}
        ready = SONGS[Script.SLOW]
        most_encodings = ready * STEMS_EACH * MOST_FORMATS
        return [
            note(NAME, "hours without Discord, log lines", f"{passed_s / 3600:.3g}, {lines:,}"),
            exactly(NAME, "songs still ready after them", waiting.get("ready", 0), ready),
            at_most(NAME, "files encoded by then", encodings, most_encodings, is_speed=False),
            at_most(
                NAME,
                f"requests in {LOOKS_FOR_S:g} s then",
                requests,
                MOST_REQUESTS_A_REPLY * sum(SONGS.values()),
            ),
            at_most(NAME, f"CPU time in {LOOKS_FOR_S:g} s then", busy_s, 0.2 * LOOKS_FOR_S, " s"),
            exactly(NAME, "songs delivered once it is back", delivered.get("delivered", 0), ready),
            at_most(NAME, "the last one after", took_s, DELIVERED_WITHIN_S, " s"),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


async def _send_unseen(harness: ChaosHarness) -> None:
    """Send the songs while every edit and message is refused, and wait until they are processed."""
    for route in ("PATCH *", "POST /channels/*", "POST /users/*", "POST /webhooks/*"):
        harness.sandbox.faults.add(Fault(route=route, reset=True))
    songs = [song for song, count in SONGS.items() for _ in range(count)]
    for song, person in zip(songs, harness.users.people, strict=True):
        await harness.users.split(song, person)
    async with asyncio.timeout(READY_WITHIN_S):
        while harness.open_jobs() > SONGS[Script.SLOW] or not _are_ready(harness):
            await asyncio.sleep(0.05)


def _are_ready(harness: ChaosHarness) -> bool:
    states = {row["state"]: row["jobs"] for row in harness.rows(_STATES)}
    return bool(states.get("ready", 0) == SONGS[Script.SLOW])


async def _pass(harness: ChaosHarness, seconds: float, speed: float) -> float:
    """Let time pass for the bot and Discord, and return how much has passed."""
    harness.speed_clock_up(speed)
    while harness.clock_ahead_s() < seconds:
        await asyncio.sleep(0.05)
    harness.speed_clock_up(1)
    await asyncio.sleep(0.5)
    harness.sandbox.clock.advance(harness.clock_ahead_s())
    return harness.clock_ahead_s()


async def _requests(harness: ChaosHarness) -> int:
    """Count the bot's requests during a short time at normal speed."""
    before = harness.sandbox.log.total
    await asyncio.sleep(LOOKS_FOR_S)
    return harness.sandbox.log.total - before


async def _return(harness: ChaosHarness) -> tuple[float, bool]:
    """Restore Discord, and return how much of the bot's time passed until everything was shown."""
    harness.sandbox.faults.clear()
    ahead_s, began = harness.clock_ahead_s(), time.monotonic()
    harness.speed_clock_up(BACK_SPEED)
    is_drained = await harness.drained(60)
    took_s = harness.clock_ahead_s() - ahead_s + time.monotonic() - began
    harness.speed_clock_up(1)
    await asyncio.sleep(0.5)
    return took_s, is_drained


def _log_lines(harness: ChaosHarness) -> int:
    return harness.log.read_bytes().count(b"\n")
