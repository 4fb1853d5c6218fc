"""Two processes on one PostgreSQL database: a limit of ten admits ten."""

import asyncio
import sys
from dataclasses import replace

from bot.domain.job import JobId, State, UserId
from storage.database.postgres import PostgresDatabase
from storage.stores.guild_pools import GuildPools
from storage.stores.job_store import JobStore
from tests.support.domain_factories import ADMIN, NOW, TODAY, StillClock, a_job, lead
from tests.support.racing_process import GUILD

NAMES = ("a", "b")
EACH = 25


async def race(url: str, what: str) -> int:
    """Let both processes act at the same time, and return the number of admissions."""
    racers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.racing_process", url, name, what, str(EACH)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for name in NAMES
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert await racer.stdout.readline() == b"ready\n"
    ends = await asyncio.gather(*(racer.communicate(b"go\n") for racer in racers))
    return sum(int(out) for out, _ in ends)


async def prepare(db: PostgresDatabase, state: State) -> None:
    """Store the jobs that the racers work on."""
    jobs = JobStore(db=db)
    for name in NAMES:
        for number in range(EACH):
            job = a_job(job_id=f"{name}{number}")
            if state is State.RECEIVED:
                stored = await jobs.add(job, max_active=1000)
                await jobs.acknowledge(stored.id, NOW, message_id=1)
            else:
                # Each job is of another user, so that only the cap applies.
                request = replace(job.request, user_id=UserId(job.interaction_id))
                await lead(jobs, state, job=replace(job, request=request))


async def test_a_user_gets_ten_jobs_of_fifty_asked_for_at_once(url: str):
    assert await race(url, "ask") == 10


async def test_forty_minutes_hold_ten_songs_of_fifty(db: PostgresDatabase, url: str):
    await prepare(db, State.RECEIVED)
    assert await race(url, "hold") == 10


async def test_a_cap_on_spending_admits_ten_submits_of_fifty(db: PostgresDatabase, url: str):
    await prepare(db, State.HELD)
    assert await race(url, "submit") == 10


async def test_a_pool_for_ten_is_handed_out_to_ten(db: PostgresDatabase, url: str):
    pools = GuildPools(db=db, clock=StillClock())
    await pools.give(GUILD, 40, TODAY, ADMIN)
    assert await race(url, "hand_out") == 10
    assert await pools.left(GUILD) == 0


async def test_used_minutes_are_given_back_once(db: PostgresDatabase, url: str):
    await lead(JobStore(db=db), State.READY)
    assert await race(url, "reset") == 1


async def test_a_job_ends_once(db: PostgresDatabase, url: str):
    await lead(JobStore(db=db), State.HELD, job=a_job(job_id="all"))
    assert await race(url, "cancel") == 1
    job = await JobStore(db=db).get(JobId("all"))
    assert job is not None
    assert job.state is State.CANCELLED
