"""Several groups share a vendor's limit, and wait for its places in turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from bot.domain.attempt import AttemptState
from bot.domain.errors import NoPlaceFree
from bot.domain.job import Job, JobId, State, UserId
from storage.database.postgres import PostgresDatabase
from storage.groups.listener import Listener
from storage.groups.shard_group import ShardGroup
from storage.groups.signals import Signal, SignalKind, Signals
from storage.groups.vendor_places import Place, VendorPlaces
from storage.stores.job_store import JobStore
from tests.support.domain_factories import NOW, a_job, an_attempt, lead

VENDOR = "finevoice"
FIRST, SECOND, THIRD = (ShardGroup(shard, shard, 3) for shard in range(3))
PATIENCE_S = 5.0


def server_of(group: ShardGroup) -> int:
    return (group.count * 1000 + group.first) << 22


class Bot:
    """What a group's bot does at a vendor with `capacity` places."""

    def __init__(self, db: PostgresDatabase, group: ShardGroup, *, capacity: int = 2) -> None:
        self.db = db
        self.group = group
        self.capacity = capacity
        self.jobs = JobStore(db=db, shards=group)
        self.places = VendorPlaces(db=db, shards=group)

    async def held(self) -> Job:
        """Return a job of the group that is ready to be submitted."""
        job = a_job()
        job = replace(
            job,
            reply=replace(job.reply, guild_id=server_of(self.group)),
            request=replace(job.request, user_id=UserId(job.interaction_id)),
        )
        return await lead(self.jobs, State.HELD, job=job)

    async def ask(self) -> bool:
        return await self.places.ask(VENDOR, capacity=self.capacity)

    async def enter(self, job: Job) -> Job:
        """Submit the job. Raises NoPlaceFree."""
        submitting = job.submitting(NOW, provider=VENDOR)
        place = Place(provider=VENDOR, capacity=self.capacity, group=self.group)
        await self.jobs.save(
            submitting, expected=State.HELD, attempt=an_attempt(job), caps=(), place=place
        )
        return submitting


@asynccontextmanager
async def hearing(url: str) -> AsyncIterator[list[Signal]]:
    heard: list[Signal] = []
    is_connected = asyncio.Event()
    listening = asyncio.create_task(Listener(url).run(heard.append, connected=is_connected.set))
    await asyncio.wait_for(is_connected.wait(), PATIENCE_S)
    yield heard
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def inside(db: PostgresDatabase) -> set[JobId]:
    return {JobId(row["job_id"]) for row in await db.read("SELECT job_id FROM vendor_places")}


async def heard_after(heard: list[Signal]) -> list[str]:
    await asyncio.sleep(0.3)
    return [str(each) for each in heard]


async def test_all_groups_together_keep_the_limit(db: PostgresDatabase):
    bots = [Bot(db, group, capacity=4) for group in (FIRST, SECOND)]
    jobs = [(bot, await bot.held()) for bot in bots for _ in range(10)]
    ends = await asyncio.gather(*(bot.enter(job) for bot, job in jobs), return_exceptions=True)
    assert sum(isinstance(end, Job) for end in ends) == 4
    assert sum(isinstance(end, NoPlaceFree) for end in ends) == 16
    assert len(await inside(db)) == 4
    states = {(await bot.jobs.get(job.id) or job).state for bot, job in jobs}
    assert states == {State.HELD, State.SUBMITTING}


async def test_a_job_that_is_inside_needs_no_second_place(db: PostgresDatabase):
    bot = Bot(db, FIRST, capacity=1)
    job = await bot.held()
    await bot.enter(job)
    again = replace(await bot.held(), id=job.id)
    with pytest.raises(Exception, match="no longer held"):
        await bot.enter(again)
    assert await inside(db) == {job.id}


async def test_groups_enter_in_the_order_in_which_they_began_to_wait(
    db: PostgresDatabase, url: str
):
    first, second, third = (Bot(db, group, capacity=1) for group in (FIRST, SECOND, THIRD))
    job = await first.held()
    await first.enter(job)
    assert not await second.ask()
    assert not await third.ask()
    assert not await first.ask()
    async with hearing(url) as heard:
        await first.places.leave(VENDOR, job.id)
        assert await heard_after(heard) == [f"place {VENDOR} 1/3"]  # only the first in line
        with pytest.raises(NoPlaceFree):
            await third.enter(await third.held())
        assert not await third.ask()
        assert await second.ask()
        its_job = await second.held()
        await second.enter(its_job)
        heard.clear()
        await second.places.leave(VENDOR, its_job.id)
        assert await heard_after(heard) == [f"place {VENDOR} 2/3"]


async def test_a_group_that_enters_calls_the_next_while_places_are_free(
    db: PostgresDatabase, url: str
):
    first, second = (Bot(db, group) for group in (FIRST, SECOND))
    assert await first.ask()
    assert not await second.ask()  # though two places are free: it is not first in line
    async with hearing(url) as heard:
        await first.enter(await first.held())
        assert await heard_after(heard) == [f"place {VENDOR} 1/3"]
    await second.enter(await second.held())


async def test_a_group_that_no_longer_waits_lets_the_next_in(db: PostgresDatabase, url: str):
    first, second = (Bot(db, group) for group in (FIRST, SECOND))
    await first.ask()
    await second.ask()
    async with hearing(url) as heard:
        await first.places.withdraw(VENDOR)
        assert await heard_after(heard) == [f"place {VENDOR} 1/3"]
    assert await second.ask()


async def test_a_group_whose_bot_is_gone_holds_nobody_up(db: PostgresDatabase):
    first, second = (Bot(db, group) for group in (FIRST, SECOND))
    await first.ask()
    await db.write(lambda conn: conn.execute("UPDATE vendor_waits SET asked_at = asked_at - 11"))
    assert await second.ask()


async def test_a_successor_frees_the_places_that_no_attempt_needs(db: PostgresDatabase, url: str):
    first, second = (Bot(db, group, capacity=9) for group in (FIRST, SECOND))
    jobs = {name: await first.enter(await first.held()) for name in ("sent", "at work", "given up")}
    others = await second.enter(await second.held())
    at_work = an_attempt(jobs["at work"], ref="r1", state=AttemptState.ACCEPTED)
    given_up = an_attempt(jobs["given up"], ref="r2", state=AttemptState.ABANDONED)
    for attempt in (at_work, given_up):
        await first.jobs.record(attempt)
    await second.ask()
    async with hearing(url) as heard:
        await first.places.restore([VENDOR], since=NOW - timedelta(hours=1))
        assert await heard_after(heard) == [f"place {VENDOR} 1/3"]
    assert await inside(db) == {jobs["at work"].id, jobs["given up"].id, others.id}
    await first.places.restore([VENDOR], since=NOW + timedelta(hours=1))
    assert await inside(db) == {jobs["at work"].id, others.id}


async def test_attempts_from_before_have_places_after_the_start(db: PostgresDatabase):
    bot = Bot(db, FIRST)
    job = await bot.held()
    await bot.jobs.save(
        job.submitting(NOW, provider=VENDOR),
        expected=State.HELD,
        attempt=an_attempt(job, ref="r1", state=AttemptState.ACCEPTED),
    )
    await bot.places.restore([VENDOR], since=NOW)
    assert await inside(db) == {job.id}
    await bot.places.restore(["attic"], since=NOW)
    assert await inside(db) == {job.id}


async def test_a_place_that_was_left_unnoticed_is_found(db: PostgresDatabase):
    bot, other = Bot(db, FIRST, capacity=9), Bot(db, SECOND, capacity=9)
    gone, kept, sending = [await bot.enter(await bot.held()) for _ in range(3)]
    await other.enter(await other.held())
    for job in (gone, kept):
        await bot.jobs.record(an_attempt(job, state=AttemptState.FAILED))
    assert await bot.places.left_behind({(VENDOR, kept.id)}) == [(VENDOR, gone.id)]
    assert sending.id in await inside(db)


async def test_notes_are_heard_again_after_the_connection_was_cut(
    db: PostgresDatabase, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("storage.groups.listener._PAUSE_S", 0.1)
    signals = Signals(db=db, shards=FIRST)
    async with hearing(url) as heard:
        await signals.job_changed(JobId("k7f2q"))
        await heard_after(heard)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'"
            )
        await asyncio.sleep(1)
        await signals.job_changed(JobId("m8g3r"))
        await heard_after(heard)
    assert heard == [Signal(SignalKind.JOB, "k7f2q"), Signal(SignalKind.JOB, "m8g3r")]
