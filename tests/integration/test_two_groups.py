"""The services of two bots on one PostgreSQL database, each with a shard group."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.attempt import AttemptState, RemoteRef
from bot.domain.errors import Problem, Reason
from bot.domain.job import Job, JobId, State, UserId
from bot.domain.minutes import Void
from bot.providers.interface import Accepted, Call, Failed, Finished, Lost, Running, Source
from storage.database.opening import PostgresUrl
from storage.groups.listener import Listener
from storage.groups.shard_group import ShardGroup
from tests.support.fakes import FakeProvider
from tests.support.harness import ADA, REPLY, Harness

FIRST, SECOND = ShardGroup(0, 0, 2), ShardGroup(1, 1, 2)
SERVER = {FIRST: 2 << 22, SECOND: 3 << 22}
PLACES = 4


@dataclass(frozen=True, slots=True)
class Pair:
    """A bot, and another one that may change its jobs."""

    bot: Harness
    other: Harness

    @property
    def provider(self) -> FakeProvider:
        return self.bot.provider


class CountingProvider(FakeProvider):
    """A vendor that counts the attempts of all bots, each of which takes a moment."""

    inside = most_inside = 0

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        CountingProvider.inside += 1
        CountingProvider.most_inside = max(self.most_inside, self.inside)
        await asyncio.sleep(0.3)
        return await super().submit(call, source)

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        answer = await super().poll(ref)
        CountingProvider.inside -= isinstance(answer, Finished)
        return answer


@pytest.fixture
def url(postgres_server: Any) -> Iterator[str]:
    with postgres_server.database() as address:
        yield address


@pytest.fixture
async def pair(url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    CountingProvider.inside = CountingProvider.most_inside = 0
    built, listening = [], []
    for group in (FIRST, SECOND):
        root = tmp_path / str(group.first)
        root.mkdir()
        provider = CountingProvider(concurrency=PLACES, can_cancel=True)
        harness = await Harness.build(root, provider, address=PostgresUrl(url), group=group)
        built.append(harness)
        changes, connected = harness.services.outside_changes, asyncio.Event()
        listener = Listener(url).run(changes.hear, connected=connected.set)
        listening.append(asyncio.create_task(listener))
        await connected.wait()
    yield Pair(*built)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    for harness in built:
        await harness.services.outside_changes.stop()
        await harness.close()


async def split_in(harness: Harness, group: ShardGroup, *, user_id: UserId = ADA) -> Job:
    reply = replace(REPLY, guild_id=SERVER[group])
    job = await harness.receive(user_id=user_id, reply=reply)
    await harness.services.splits.acknowledged(job.id, message_id=70)
    return job


async def settled(pair: Pair, job: Job) -> None:
    """Wait until the bot has ended the attempt of a cancelled job."""
    async with asyncio.timeout(5):
        while (await pair.bot.jobs.attempts(job.id))[0].state is not AttemptState.ABANDONED:
            await asyncio.sleep(0.01)
    await pair.bot.until_idle()


async def until_gone(folder: Path) -> None:
    async with asyncio.timeout(5):
        while folder.exists():
            await asyncio.sleep(0.01)


async def until_no_row(harness: Harness, table: str) -> None:
    async with asyncio.timeout(5):
        while await harness.db.read(f"SELECT 1 FROM {table}"):
            await asyncio.sleep(0.02)


async def test_each_resumes_and_answers_its_own_jobs_only(pair: Pair):
    pair.provider.on_poll = [Running(None)] * 100_000
    job = await split_in(pair.bot, FIRST)
    await pair.bot.until(job.id, State.PROCESSING)
    assert await pair.other.resume() == 0
    assert await pair.other.jobs.owed() == {}
    assert await pair.other.jobs.unfinished_ids() == {job.id}
    assert job.id in await pair.bot.jobs.owed()


async def test_a_cancel_by_the_other_bot_ends_the_attempt(pair: Pair):
    pair.provider.on_poll = [Running(None)] * 100_000
    job = await split_in(pair.bot, FIRST)
    await pair.bot.until(job.id, State.PROCESSING)
    await pair.other.services.splits.cancel(job.id, user_id=ADA)
    await settled(pair, job)
    assert pair.provider.cancelled == ["fake-1"]
    await until_gone(pair.bot.files.of(job.id).path)
    assert (await pair.bot.usage()).used == 0


async def test_a_submit_in_flight_survives_the_cancel_of_the_other_bot(pair: Pair):
    pair.provider.gate = asyncio.Event()
    job = await split_in(pair.bot, FIRST)
    await pair.bot.until(job.id, State.SUBMITTING)
    await pair.other.services.splits.cancel(job.id, user_id=ADA)
    await asyncio.sleep(0.3)
    [attempt] = await pair.bot.jobs.attempts(job.id)
    assert attempt.state is AttemptState.SENDING  # its answer is still to come
    pair.provider.gate.set()
    await pair.bot.until_idle()
    [attempt] = await pair.bot.jobs.attempts(job.id)
    assert (attempt.state, attempt.ref) == (AttemptState.ABANDONED, "fake-1")
    assert pair.provider.cancelled == ["fake-1"]


async def test_a_user_who_is_forgotten_by_the_other_bot_leaves_no_files(pair: Pair):
    job = await split_in(pair.bot, FIRST)
    await pair.bot.until(job.id, State.DELIVERED)
    await pair.bot.until_idle()
    folder = pair.bot.files.of(job.id).path
    assert folder.exists()
    await pair.other.services.privacy.forget(ADA)
    await until_gone(folder)


async def test_a_note_that_was_missed_is_made_up_for(pair: Pair):
    pair.provider.on_poll = [Running(None)] * 100_000
    job = await split_in(pair.bot, FIRST)
    await pair.bot.until(job.id, State.PROCESSING)
    cancelled = (await pair.bot.job(job.id)).cancelled(
        pair.bot.clock.now(), Problem(Reason.STOPPED_BY_USER)
    )
    await pair.other.jobs.save(cancelled, expected=State.PROCESSING, ledger=Void(job.id))
    pair.bot.services.outside_changes.listening()
    pair.bot.services.outside_changes.listening()
    await settled(pair, job)
    assert pair.provider.cancelled == ["fake-1"]


async def test_both_bots_together_keep_the_providers_limit(pair: Pair):
    bots = {FIRST: pair.bot, SECOND: pair.other}
    for number in range(20):
        for group, harness in bots.items():
            await split_in(harness, group, user_id=UserId(10 + number))
    async with asyncio.timeout(120):
        for harness in bots.values():
            await harness.until_idle(within_s=120)
    assert [len(harness.provider.submits) for harness in bots.values()] == [20, 20]
    assert 1 < CountingProvider.most_inside <= PLACES
    await until_no_row(pair.bot, "vendor_places")


async def test_a_place_of_a_killed_bot_is_freed_by_its_successor(pair: Pair):
    pair.provider.gate = asyncio.Event()
    for number in range(PLACES):
        job = await split_in(pair.bot, FIRST, user_id=UserId(10 + number))
        await pair.bot.until(job.id, State.SUBMITTING)
    waiting = await split_in(pair.other, SECOND)
    await pair.other.until(waiting.id, State.HELD)
    await asyncio.sleep(0.3)
    assert (await pair.other.job(waiting.id)).state is State.HELD
    # As after a kill: nothing else in the first bot continues.
    await pair.bot.services.reconciler.restore_shared_places()
    await pair.other.until(waiting.id, within_s=3)


async def test_a_request_that_another_bot_received_is_worked_on(pair: Pair):
    job = await split_in(pair.other, FIRST)
    await pair.bot.until(job.id, State.DELIVERED)
    assert pair.other.services.runner.running == 0


async def test_files_that_others_stored_meanwhile_are_no_orphans(pair: Pair):
    class LateOrphans(type(pair.bot.files)):  # type: ignore[misc] # the class in use
        """Finds the folder of a job that was stored after the known ids were read."""

        async def orphans(self, known: Any) -> Any:
            await pair.bot.jobs.add(job, max_active=9)
            return [job.id]

    job = await pair.other.receive(reply=replace(REPLY, guild_id=SERVER[SECOND]))
    job = replace(job, id=JobId("zzzzz"), interaction_id=1)
    folder = pair.bot.files.of(job.id).path
    folder.mkdir()
    retention = pair.bot.services.retention
    retention._files = LateOrphans(pair.bot.files.of(job.id).path.parent)
    await retention.sweep_orphans()
    assert folder.exists()
