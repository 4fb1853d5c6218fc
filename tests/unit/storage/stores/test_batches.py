"""The batch store: songs, slots, the outbox and secrets."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import Problem, Reason, Rejected, StateMoved
from bot.domain.job import BatchId, Job, JobId, State, UserId
from storage.database.opening import Address
from storage.database.protocols import Database
from storage.stores.batches import BatchStore
from storage.stores.job_store import JobStore
from storage.upkeep.forgetting import Forgetting
from tests.support.both_databases import reopen
from tests.support.domain_factories import NOW, PROBLEM, TODAY, USER, a_batch, a_job

SONGS = [replace(a_job().request.source, filename=f"{n}.mp3") for n in range(3)]


@pytest.fixture
def batches(db: Database) -> BatchStore:
    return BatchStore(db=db)


@pytest.fixture
def jobs(db: Database) -> JobStore:
    return JobStore(db=db)


async def started(batches: BatchStore, *, batch_id: str = "songs") -> BatchId:
    batch = await batches.add(a_batch(batch_id=batch_id), SONGS)
    assert await batches.acknowledge(batch.id, NOW, message_id=70)
    return batch.id


async def fill(jobs: JobStore, batch_id: BatchId, number: int, *, job_id: str = "") -> Job:
    job = a_job(job_id=job_id, batch_id=batch_id, acknowledged_at=NOW)
    return await jobs.add(job, max_active=3, batch_number=number)


async def version_of(batches: BatchStore, batch_id: BatchId) -> int:
    batch = await batches.get(batch_id)
    assert batch is not None
    return batch.version


async def test_what_is_stored_comes_back(batches: BatchStore) -> None:
    batch = await batches.add(a_batch(role_ids=(7, 8)), SONGS)
    content = await batches.content(batch.id)
    assert content is not None
    assert content.batch == batch
    assert [song.source for song in content.songs] == SONGS
    assert all(song.is_waiting for song in content.songs)


async def test_an_interaction_has_one_batch(batches: BatchStore) -> None:
    first = await batches.add(a_batch(), SONGS)
    again = await batches.add(replace(first, id=BatchId("other")), SONGS)
    assert again.id == first.id
    assert await batches.of_interaction(first.interaction_id) == first


async def test_a_user_has_one_open_batch(batches: BatchStore) -> None:
    first = await batches.add(a_batch(), SONGS)
    with pytest.raises(Rejected) as refusal:
        await batches.add(a_batch(), SONGS)
    assert refusal.value.problem.reason is Reason.ONE_BATCH
    await batches.add(a_batch(user_id=UserId(5)), SONGS)
    await batches.withdraw(first.id, NOW, in_doubt=False)
    await batches.add(a_batch(), SONGS)


async def test_twenty_requests_at_once_make_one_batch(batches: BatchStore) -> None:
    adding = (batches.add(a_batch(), SONGS) for _ in range(20))
    found = await asyncio.gather(*adding, return_exceptions=True)
    assert sum(not isinstance(each, Rejected) for each in found) == 1


async def test_a_batch_whose_id_is_taken_gets_another(batches: BatchStore) -> None:
    first = await batches.add(a_batch(batch_id="taken"), SONGS[:1])
    second = await batches.add(a_batch(batch_id="taken", user_id=UserId(5)), SONGS)
    assert first.id == "taken" != second.id
    assert await batches.get(second.id) == second
    content = await batches.content(second.id)
    assert content is not None
    assert len(content.songs) == len(SONGS)


async def test_a_batch_can_advance_until_its_share_is_under_way(
    batches: BatchStore, jobs: JobStore
) -> None:
    added = await batches.add(a_batch(), SONGS)
    assert await batches.due(max_active=2) == []
    await batches.acknowledge(added.id, NOW, message_id=70)
    assert await batches.due(max_active=2) == [added.id]
    first = await fill(jobs, added.id, 1)
    assert await batches.due(max_active=2) == [added.id]
    second = await fill(jobs, added.id, 2)
    assert await batches.due(max_active=2) == []
    await jobs.save(first.failed(NOW, PROBLEM), expected=State.RECEIVED)
    assert await batches.due(max_active=2) == [added.id]
    await batches.refuse(added.id, 3, NOW, PROBLEM)
    assert await batches.due(max_active=2) == [], "its last song is under way"
    await jobs.save(second.failed(NOW, PROBLEM), expected=State.RECEIVED)
    assert await batches.due(max_active=2) == [added.id]
    assert await batches.has_open()
    await batches.close(added.id, NOW)
    assert await batches.due(max_active=2) == []
    assert not await batches.has_open()


async def test_a_batch_that_is_to_end_advances_though_its_share_is_under_way(
    batches: BatchStore, jobs: JobStore
) -> None:
    batch_id = await started(batches)
    await fill(jobs, batch_id, 1)
    assert await batches.due(max_active=1) == []
    await batches.stop(batch_id, NOW, Reason.STOPPED_BY_USER)
    assert await batches.due(max_active=1) == [batch_id]


async def test_a_song_becomes_one_job(batches: BatchStore, jobs: JobStore) -> None:
    batch_id = await started(batches)
    filling = (fill(jobs, batch_id, 1) for _ in range(3))
    found = await asyncio.gather(*filling, return_exceptions=True)
    assert sum(isinstance(each, Job) for each in found) == 1
    assert len(await jobs.in_batch(batch_id)) == 1
    content = await batches.content(batch_id)
    assert content is not None
    assert [song.is_waiting for song in content.songs] == [False, True, True]
    assert content.songs[0].source.url == ""


async def test_a_job_whose_song_no_longer_waits_is_not_stored(
    batches: BatchStore, jobs: JobStore
) -> None:
    batch_id = await started(batches)
    await batches.refuse(batch_id, 1, NOW, PROBLEM)
    with pytest.raises(StateMoved):
        await fill(jobs, batch_id, 1, job_id="refused")
    assert await jobs.get(JobId("refused")) is None


async def test_a_job_of_a_batch_owes_no_reply_and_makes_the_batchs_stale(
    batches: BatchStore, jobs: JobStore
) -> None:
    batch_id = await started(batches)
    job = await fill(jobs, batch_id, 1)
    before = await version_of(batches, batch_id)
    await jobs.save(job.failed(NOW, PROBLEM), expected=State.RECEIVED)
    assert await version_of(batches, batch_id) == before + 1
    assert await jobs.owed() == {}
    assert await batches.owed() == {batch_id: before + 1}


async def test_a_batch_ends_with_its_last_song(batches: BatchStore, jobs: JobStore) -> None:
    batch_id = await started(batches)
    job = await fill(jobs, batch_id, 1)
    await batches.refuse(batch_id, 2, NOW, PROBLEM)
    await batches.refuse(batch_id, 3, NOW, Problem(Reason.TOO_BIG, {"limit_mib": 5}))
    assert not await batches.close(batch_id, NOW)
    await jobs.save(job.failed(NOW, PROBLEM), expected=State.RECEIVED)
    assert await batches.close(batch_id, NOW)
    assert not await batches.close(batch_id, NOW)
    assert await batches.open() == []


async def test_what_is_shown_of_a_forgotten_batch_is_not_noted(
    batches: BatchStore, db: Database
) -> None:
    batch_id = await started(batches)
    assert await batches.reply_shown(batch_id, 1)
    await batches.stop(batch_id, NOW, Reason.STOPPED_BY_USER)
    await Forgetting(db=db).forget(USER, TODAY)
    assert not await batches.reply_shown(batch_id, 2)


async def test_its_token_goes_once_the_end_is_shown(batches: BatchStore) -> None:
    batch_id = await started(batches)
    await batches.stop(batch_id, NOW, Reason.STOPPED_BY_USER)
    assert await batches.close(batch_id, NOW)
    batch = await batches.get(batch_id)
    assert batch is not None
    assert batch.reply.token is not None
    await batches.reply_shown(batch_id, batch.version - 1)
    assert (await batches.owed()) == {batch_id: batch.version}
    await batches.reply_shown(batch_id, batch.version, message_id=71)
    shown = await batches.get(batch_id)
    assert shown is not None
    assert (shown.reply.token, shown.reply.message_id) == (None, 71)
    assert await batches.owed() == {}


async def test_a_withdrawn_batch_shows_why_only_where_its_user_may_see_it(
    batches: BatchStore,
) -> None:
    unseen = await batches.add(a_batch(), SONGS)
    await batches.withdraw(unseen.id, NOW, in_doubt=False)
    assert await batches.owed() == {}
    doubtful = await batches.add(a_batch(), SONGS)
    await batches.withdraw(doubtful.id, NOW, in_doubt=True)
    assert list(await batches.owed()) == [doubtful.id]
    assert not await batches.acknowledge(doubtful.id, NOW, message_id=70)
    for each in (unseen, doubtful):
        content = await batches.content(each.id)
        assert content is not None
        assert {song.source.url for song in content.songs} == {""}


async def test_an_acknowledged_batch_is_not_withdrawn(batches: BatchStore) -> None:
    batch_id = await started(batches)
    await batches.withdraw(batch_id, NOW, in_doubt=True)
    assert [each.id for each in await batches.open()] == [batch_id]


async def test_forgetting_takes_batches_and_leaves_their_jobs_without_one(
    batches: BatchStore, jobs: JobStore, db: Database
) -> None:
    batch_id = await started(batches)
    job = await fill(jobs, batch_id, 1)
    await jobs.save(job.failed(NOW, PROBLEM), expected=State.RECEIVED)
    await batches.stop(batch_id, NOW, Reason.STOPPED_BY_USER)
    await batches.close(batch_id, NOW)
    forgetting = Forgetting(db=db)
    assert await forgetting.owed_replies(USER) == 1
    await forgetting.forget(USER, TODAY)
    assert await batches.get(batch_id) is None
    assert await jobs.in_batch(batch_id) == []
    assert await db.read("SELECT * FROM batch_songs") == []


async def test_old_batches_that_have_ended_are_deleted(batches: BatchStore, db: Database) -> None:
    batch_id = await started(batches)
    forgetting = Forgetting(db=db)
    await forgetting.empty_old(NOW + timedelta(days=1))
    assert await batches.get(batch_id) is not None
    await batches.stop(batch_id, NOW, Reason.STOPPED_BY_USER)
    await batches.close(batch_id, NOW)
    await forgetting.empty_old(NOW)
    assert await batches.get(batch_id) is not None
    await forgetting.empty_old(NOW + timedelta(days=1))
    assert await batches.get(batch_id) is None


async def test_all_is_there_after_the_database_is_opened_again(
    db: Database, address: Address
) -> None:
    batch_id = await started(BatchStore(db=db))
    await fill(JobStore(db=db), batch_id, 2)
    await db.close()
    again = await reopen(address)
    try:
        content = await BatchStore(db=again).content(batch_id)
        assert content is not None
        assert [song.is_waiting for song in content.songs] == [True, False, True]
    finally:
        await again.close()
