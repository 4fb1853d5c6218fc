"""Batches over the real services: admission, the limit, cancels and restarts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.batches.batch_service import BatchRequest
from bot.domain.errors import NotFound, Reason, Rejected, StoreUnavailable
from bot.domain.job import BatchId, Context, Entry, Reply, Source, State, UserId
from bot.domain.recipes import AudioFormat, Recipe
from storage.database import timely_write
from storage.stores.batches import Batch, BatchContent, BatchStore
from tests.support.fakes import FakeProvider
from tests.support.harness import ADA, BEN, REPLY, REQUEST, Harness


def songs(count: int, **changes: Any) -> list[Source]:
    return [
        replace(REQUEST.source, filename=f"Song {number}.mp3", **changes)
        for number in range(1, count + 1)
    ]


def asked(found: list[Source], *, user_id: UserId = ADA) -> BatchRequest:
    return BatchRequest(
        user_id=user_id,
        songs=found,
        recipe=Recipe.KARAOKE,
        audio_format=AudioFormat.MP3,
        entry=Entry.COMMAND,
    )


@asynccontextmanager
async def running(root: Path, **settings: Any) -> AsyncIterator[Harness]:
    """Run the services and their batches, as the bot does from its start."""
    provider = FakeProvider(is_hosted=False, is_resubmittable=True)
    harness = await Harness.build(root, provider, **settings)
    work = asyncio.create_task(harness.services.batch_runner.run())
    try:
        await harness.services.batches.resume()
        await harness.resume()
        yield harness
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await harness.close()


async def receive(
    harness: Harness, count: int = 3, *, user_id: UserId = ADA, reply: Reply = REPLY
) -> Batch:
    return await harness.services.batches.receive(
        interaction_id=harness.next_interaction(),
        request=asked(songs(count), user_id=user_id),
        reply=reply,
    )


async def start(harness: Harness, count: int = 3, **asked: Any) -> BatchId:
    batch = await receive(harness, count, **asked)
    await harness.services.batches.acknowledged(batch.id, message_id=70)
    return batch.id


async def content_of(harness: Harness, batch_id: BatchId) -> BatchContent:
    content = await BatchStore(db=harness.db).content(batch_id)
    assert content is not None
    return content


async def until_final(harness: Harness, batch_id: BatchId) -> BatchContent:
    async with asyncio.timeout(10):
        while not (content := await content_of(harness, batch_id)).batch.is_final:
            await asyncio.sleep(0.01)
    return content


async def until_started(harness: Harness, batch_id: BatchId, count: int) -> BatchContent:
    async with asyncio.timeout(10):
        while len((content := await content_of(harness, batch_id)).jobs) < count:
            await asyncio.sleep(0.01)
    return content


async def test_each_song_becomes_a_job_that_is_charged_by_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as harness:
        content = await until_final(harness, await start(harness, 5))
        assert [job.title for job in content.with_stems] == [f"Song {n}" for n in range(1, 6)]
        assert harness.delivery.shown == []
        usage = await harness.usage()
        assert (usage.used, usage.held) == (20, 0)


@pytest.mark.parametrize("context", [Context.GUILD_USER_INSTALL, Context.GUILD_EPHEMERAL])
async def test_a_place_that_was_allowed_for_the_batch_is_for_its_songs(
    tmp_path: Path, context: Context
) -> None:
    reply = replace(REPLY, context=context, guild_id=13, is_user_install=True)
    async with running(tmp_path, allowed_guilds={1}) as harness:
        content = await until_final(harness, await start(harness, reply=reply))
        assert {job.state for job in content.jobs.values()} == {State.DELIVERED}
        with pytest.raises(Rejected) as refusal:
            await receive(harness, reply=replace(reply, is_user_install=False))
        assert refusal.value.problem.reason is Reason.NOT_OFFERED_HERE


async def test_nothing_begins_before_the_answer_is_shown(tmp_path: Path) -> None:
    async with running(tmp_path) as harness:
        batch = await receive(harness)
        await harness.services.batch_runner.advance_all()
        assert (await content_of(harness, batch.id)).jobs == {}
        await harness.services.batches.unacknowledged(batch.id)
        content = await content_of(harness, batch.id)
        assert content.batch.is_final
        assert content.batch.acknowledged_at is None


async def test_a_batch_found_unacknowledged_at_start_is_over(tmp_path: Path) -> None:
    async with running(tmp_path) as harness:
        batch = await receive(harness)
    async with running(tmp_path) as harness:
        content = await content_of(harness, batch.id)
        assert content.batch.is_final
        assert content.batch.reason is Reason.UNACKNOWLEDGED
        assert content.jobs == {}
        assert harness.provider.submits == []


async def test_the_limit_holds_beside_other_songs_of_the_user(tmp_path: Path) -> None:
    async with running(tmp_path, max_active_jobs=3) as harness:
        harness.provider.gate = asyncio.Event()
        single = await harness.split()
        batch_id = await start(harness, 4)
        await until_started(harness, batch_id, 2)
        await harness.services.batch_runner.advance(batch_id)
        assert len(await harness.jobs.unfinished()) == 3
        harness.provider.gate.set()
        await until_final(harness, batch_id)
        await harness.until(single.id)
        assert (await harness.usage()).used == 20


async def test_a_restart_in_the_middle_goes_on_and_repeats_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, max_active_jobs=2) as harness:
        batch_id = await start(harness, 5)
        await until_started(harness, batch_id, 3)
        before = {*(await content_of(harness, batch_id)).jobs}
    async with running(tmp_path, max_active_jobs=2) as harness:
        content = await until_final(harness, batch_id)
        assert before < {*content.jobs}
        assert len(content.with_stems) == len(content.jobs) == 5
        # The second bot gets the same bytes as the first, so its songs are repeats.
        own = [job for job in content.jobs.values() if job.repeat_of is None]
        holds = await harness.db.read("SELECT count(*) FROM ledger WHERE kind = 'hold'")
        assert holds[0][0] == len(own) >= 2
        usage = await harness.usage()
        assert (usage.used, usage.held) == (4 * len(own), 0)


async def test_a_cancel_that_was_interrupted_is_finished_at_the_next_start(tmp_path: Path) -> None:
    async with running(tmp_path) as harness:
        harness.provider.gate = asyncio.Event()
        batch_id = await start(harness, 5)
        await until_started(harness, batch_id, 3)
        # The process dies between the record of the cancel and the end of the jobs.
        store = BatchStore(db=harness.db)
        await store.stop(batch_id, harness.clock.now(), Reason.STOPPED_BY_USER)
    async with running(tmp_path) as harness:
        content = await until_final(harness, batch_id)
        assert {job.state for job in content.jobs.values()} == {State.CANCELLED}
        usage = await harness.usage()
        assert (usage.used, usage.held) == (0, 0)


async def test_cancel_is_for_its_user_and_the_servers_managers(tmp_path: Path) -> None:
    async with running(tmp_path) as harness:
        batches = harness.services.batches
        harness.provider.gate = asyncio.Event()
        batch_id = await start(harness, 2)
        with pytest.raises(NotFound):
            await batches.cancel(batch_id, user_id=BEN)
        with pytest.raises(NotFound):
            await batches.cancel_in(batch_id, guild_id=8)
        await batches.cancel_in(batch_id, guild_id=7)
        content = await until_final(harness, batch_id)
        assert content.batch.reason is Reason.STOPPED_BY_MANAGER


async def test_a_batch_is_seen_where_its_public_card_is(tmp_path: Path) -> None:
    async with running(tmp_path) as harness:
        batch_id = await start(harness, 1)
        seen = harness.services.batches.get_visible
        assert (await seen(batch_id, user_id=BEN, channel_id=5)).batch.id == batch_id
        assert (await seen(batch_id, user_id=ADA, channel_id=9)).batch.id == batch_id
        with pytest.raises(NotFound):
            await seen(batch_id, user_id=BEN, channel_id=9)


async def test_a_song_that_is_refused_has_its_reason(tmp_path: Path) -> None:
    async with running(tmp_path, max_file_mib=1) as harness:
        mixed = [*songs(1), *songs(1, size_bytes=1000), *songs(1, size_bytes=0)]
        batch = await harness.services.batches.receive(
            interaction_id=1, request=asked(mixed), reply=REPLY
        )
        await harness.services.batches.acknowledged(batch.id, message_id=70)
        content = await until_final(harness, batch.id)
        reasons = [song.problem and song.problem.reason for song in content.songs]
        assert reasons == [Reason.TOO_BIG, None, Reason.EMPTY_FILE]
        assert len(content.with_stems) == 1


async def test_songs_that_pass_the_quota_end_by_themselves(tmp_path: Path) -> None:
    async with running(tmp_path, quota_minutes=8) as harness:
        content = await until_final(harness, await start(harness, 4))
        assert len(content.with_stems) == 2
        assert (await harness.usage()).used == 8


@pytest.mark.parametrize("count", [0, 11])
async def test_a_batch_has_one_to_ten_songs(tmp_path: Path, count: int) -> None:
    async with running(tmp_path) as harness:
        with pytest.raises(Rejected):
            await receive(harness, count)


async def test_an_interaction_that_arrives_twice_has_one_batch(tmp_path: Path) -> None:
    async with running(tmp_path) as harness:
        batches, request = harness.services.batches, asked(songs(2))
        first = await batches.receive(interaction_id=5, request=request, reply=REPLY)
        again = await batches.receive(interaction_id=5, request=request, reply=REPLY)
        assert again == first


async def test_a_batch_that_is_stored_too_late_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timely_write, "STORE_WITHIN_S", 0.0)
    async with running(tmp_path) as harness:
        with pytest.raises(StoreUnavailable):
            await receive(harness)
        async with asyncio.timeout(10):
            while not await harness.db.read("SELECT id FROM batches WHERE is_final"):
                await asyncio.sleep(0.01)
        assert await harness.jobs.unfinished() == []
