"""The gateway breaks off, asks for a new connection, or forgets the session, while people work."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

from tests.chaos.checks import broken_promises
from tests.chaos.measurements import Figure, exactly, none_of, note, some
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script
from tests.chaos.stage import Stage, stage

NAME = "gateway"
COMMANDS_A_SECOND = 5


async def gateway(home: Path, *, seed: int, seconds: float) -> list[Figure]:
    """Disturb the connection about once a second, with commands all the while."""
    random = Random(seed)
    async with stage(home / NAME, people=10) as here:
        async with here.life():
            disturbing = asyncio.create_task(_disturb(here, random))
            for _ in range(int(seconds * COMMANDS_A_SECOND)):
                here.users.soon(Script.PLAIN, random.choice(here.users.people))
                await asyncio.sleep(1 / COMMANDS_A_SECOND)
            disturbing.cancel()
            await here.users.settle()
            is_drained = await here.drained()
        interactions = Counter(
            row["interaction_id"] for row in here.rows("SELECT interaction_id FROM jobs")
        )
        answered = [each for each in here.users.answers if each.message_id is not None]
        missing = [each for each in answered if each.interaction_id not in interactions]
        return [
            some(NAME, "sessions resumed", here.sandbox.gateway.resumes),
            some(NAME, "sessions begun anew", here.sandbox.gateway.identifies - 1),
            note(NAME, "commands answered", f"{len(answered)} of {len(here.users.answers)}"),
            exactly(NAME, "jobs made twice", sum(n > 1 for n in interactions.values()), 0),
            exactly(NAME, "answered commands without a job", len(missing), 0),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(here)),
        ]


async def _disturb(here: Stage, random: Random) -> None:
    door = here.sandbox.gateway
    ways = [door.drop] * 5 + [door.ask_to_reconnect] * 4 + [door.invalidate]
    while True:
        for disturb in random.sample(ways, len(ways)):
            await asyncio.sleep(random.uniform(0.3, 1.7))
            await disturb()
            # A new session has to wait for five seconds, as Discord wants it.
            while not here.sandbox.world.bot_is_online:
                await asyncio.sleep(0.01)
