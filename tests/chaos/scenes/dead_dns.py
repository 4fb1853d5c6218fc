"""A name server does not respond: songs wait, commands are answered, and the bot stops quickly."""

import asyncio
import time
from pathlib import Path
from random import Random

from tests.chaos.bot import DEAD_HOST, LOOKUPS_HANG
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script

NAME = "dead DNS"
HOST = "localhost"
"""The host of the songs' addresses. Everything else is addressed by IP."""
ANSWERED_WITHIN_S = 2.0
STOPPED_WITHIN_S = 8.5
"""The default of STEMCORD_STOP_GRACE_S plus the exit itself."""
COMMANDS_A_SECOND = 5
_MIX = ("split", "jobs", "quota")


async def dead_dns(home: Path, *, seed: int, songs: int, seconds: float) -> list[Figure]:
    """Make lookups hang for a bot with songs to fetch, stop the bot and start another."""
    random = Random(seed)
    async with open_harness(home / "dead-dns", people=songs) as harness:
        _name_the_host(harness)
        hang = harness.home / LOOKUPS_HANG
        async with harness.running_bot() as bot:
            await harness.users.split(Script.PLAIN, harness.users.people[0])
            hang.touch()
            for person in harness.users.people:
                harness.users.split_soon(Script.PLAIN, person)
            await harness.users.settle()
            before = len(harness.users.answers)
            await _use_commands(harness, random, seconds)
            began = time.monotonic()
            status = await bot.stop()
            stopped_s = time.monotonic() - began
            answers = harness.users.answers
        hang.unlink()
        async with harness.running_bot():
            is_drained = await harness.drained()
        accepted = harness.rows("SELECT count(*) FROM jobs")[0][0]
        delivered = harness.rows("SELECT count(*) FROM jobs WHERE state = 'delivered'")[0][0]
        took_s = [each.took_s for each in answers]
        silent = [each.refusal for each in answers if each.message_id is None]
        texts = [harness.text(each) for each in answers if each.name == "split"]
        return [
            note(NAME, "songs to fetch, commands meanwhile", f"{songs}, {len(answers) - before}"),
            none_of(NAME, "commands without an answer", silent),
            none_of(NAME, "songs refused", [text for text in texts if text]),
            at_most(NAME, "answered, max", max(took_s), ANSWERED_WITHIN_S, " s"),
            at_most(NAME, "a stop meanwhile", stopped_s, STOPPED_WITHIN_S, " s"),
            exactly(NAME, "its exit status", status, 0),
            exactly(NAME, "songs delivered in the end", delivered, accepted),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


def _name_the_host(harness: ChaosHarness) -> None:
    """Give songs addresses with a host name that the bot trusts."""
    address = harness.sandbox.base_url.removeprefix("http://")
    by_name = address.replace("127.0.0.1", HOST)
    harness.sandbox.media.base_url = f"http://{by_name}"
    harness.settings |= {"STEMCORD_TRUSTED_HOSTS": f"{address},{by_name}", DEAD_HOST: HOST}


async def _use_commands(harness: ChaosHarness, random: Random, seconds: float) -> None:
    for _ in range(int(seconds * COMMANDS_A_SECOND)):
        person, command = random.choice(harness.users.people), random.choice(_MIX)
        if command == "split":
            harness.users.split_soon(Script.PLAIN, person)
        else:
            harness.users.command_soon(command, person)
        await asyncio.sleep(1 / COMMANDS_A_SECOND)
    await harness.users.settle()
