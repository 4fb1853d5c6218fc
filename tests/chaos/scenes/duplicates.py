"""Discord delivers interactions twice while the store is slow. Each gets one job, charged once.

Half of the interactions are delivered again once their song is at a provider, the others twice at
the same time.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random

from sandbox.simulated_users import Answer
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, exactly, none_of, note, some
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script

NAME = "duplicates"
SLOW_S, TOO_SLOW_S = (0.2, 1.0), (1.7, 2.5)
"""Delays below and above the time after which the bot answers that it is busy."""
SETTLE_S = 0.2
"""Time for the bot to read the new delay and receive the deliveries."""
_ENDS = "SELECT state, count(*) AS jobs FROM jobs GROUP BY state"
_STATE = "SELECT state FROM jobs WHERE interaction_id = ?"
_HELD_TWICE = "SELECT job_id FROM ledger WHERE kind = 'hold' GROUP BY job_id HAVING count(*) > 1"
_UNDELIVERED_POSTS = """\
SELECT jobs.id FROM jobs JOIN ledger ON job_id = jobs.id
WHERE kind = 'post' AND state <> 'delivered'"""


async def duplicates(home: Path, *, seed: int, rounds: int, songs: int) -> list[Figure]:
    """Deliver the interactions of some songs twice in each round, with a slow store."""
    random = Random(seed)
    accepted: list[Answer] = []
    async with open_harness(home / NAME, people=2 * songs) as harness:
        async with harness.running_bot():
            for number in range(rounds):
                delay_s = random.uniform(*(SLOW_S if number % 2 else TOO_SLOW_S))
                accepted += await _deliver_again(harness, songs, delay_s)
                accepted += await _deliver_twice(harness, songs, delay_s)
            is_drained = await harness.drained()
        ends = ", ".join(f"{row['jobs']} {row['state']}" for row in harness.rows(_ENDS))
        twice = [row["job_id"] for row in harness.rows(_HELD_TWICE)]
        posted = [row["id"] for row in harness.rows(_UNDELIVERED_POSTS)]
        return [
            some(NAME, "second deliveries of acknowledged songs", rounds * songs),
            note(NAME, "jobs", ends),
            none_of(NAME, "accepted songs that were not delivered", _lost(harness, accepted)),
            exactly(NAME, "jobs charged twice, or for nothing", len(twice) + len(posted), 0),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


async def _deliver_again(harness: ChaosHarness, songs: int, delay_s: float) -> list[Answer]:
    """Redeliver interactions whose songs are at a provider, and return their answers."""
    answers = await asyncio.gather(
        *(harness.users.split(Script.SLOW, person) for person in harness.users.people[:songs])
    )
    accepted = [each for each in answers if not harness.text(each)]
    harness.slow_store_down(delay_s)
    await asyncio.sleep(SETTLE_S)
    for answer in accepted:
        await harness.sandbox.interactions.redeliver(answer.interaction_id or 0)
    await asyncio.sleep(delay_s + SETTLE_S)
    harness.slow_store_down(0)
    return accepted


async def _deliver_twice(harness: ChaosHarness, songs: int, delay_s: float) -> list[Answer]:
    """Deliver new interactions twice at the same time, and return the answers of those accepted."""
    harness.sandbox.interactions.deliveries = 2
    harness.slow_store_down(delay_s)
    await asyncio.sleep(SETTLE_S)
    answers = await asyncio.gather(
        *(harness.users.split(Script.PLAIN, person) for person in harness.users.people[songs:])
    )
    harness.slow_store_down(0)
    harness.sandbox.interactions.deliveries = 1
    return [each for each in answers if each.message_id is not None and not harness.text(each)]


def _lost(harness: ChaosHarness, accepted: Sequence[Answer]) -> list[str]:
    states = {each.interaction_id: harness.rows(_STATE, each.interaction_id) for each in accepted}
    return [
        f"{interaction_id}: {rows[0]['state'] if rows else 'no job'}"
        for interaction_id, rows in states.items()
        if not rows or rows[0]["state"] != "delivered"
    ]
