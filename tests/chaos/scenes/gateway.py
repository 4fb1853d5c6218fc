"""The gateway drops, asks to reconnect or forgets the session while users send commands."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, exactly, none_of, note, some
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script

NAME = "gateway"
COMMANDS_A_SECOND = 5


async def gateway(home: Path, *, seed: int, seconds: float) -> list[Figure]:
    """Disturb the connection about once a second under a steady rate of commands."""
    random = Random(seed)
    async with open_harness(home / NAME, people=10) as harness:
        async with harness.running_bot():
            disturbing = asyncio.create_task(_disturb(harness, random))
            for _ in range(int(seconds * COMMANDS_A_SECOND)):
                harness.users.split_soon(Script.PLAIN, random.choice(harness.users.people))
                await asyncio.sleep(1 / COMMANDS_A_SECOND)
            disturbing.cancel()
            await harness.users.settle()
            is_drained = await harness.drained()
        interactions = Counter(
            row["interaction_id"] for row in harness.rows("SELECT interaction_id FROM jobs")
        )
        answered = [each for each in harness.users.answers if each.message_id is not None]
        missing = [each for each in answered if each.interaction_id not in interactions]
        return [
            some(NAME, "sessions resumed", harness.sandbox.gateway.resumes),
            some(NAME, "new sessions", harness.sandbox.gateway.identifies - 1),
            note(NAME, "commands answered", f"{len(answered)} of {len(harness.users.answers)}"),
            exactly(
                NAME, "interactions with two jobs", sum(n > 1 for n in interactions.values()), 0
            ),
            exactly(NAME, "answered commands without a job", len(missing), 0),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


async def _disturb(harness: ChaosHarness, random: Random) -> None:
    gateway = harness.sandbox.gateway
    actions = [gateway.drop] * 5 + [gateway.ask_to_reconnect] * 4 + [gateway.invalidate]
    while True:
        for disturb in random.sample(actions, len(actions)):
            await asyncio.sleep(random.uniform(0.3, 1.7))
            await disturb()
            # Discord allows one IDENTIFY in five seconds, so a new session may have to wait.
            while not harness.sandbox.world.bot_is_online:
                await asyncio.sleep(0.01)
