"""Rows written by another version are skipped, counted and logged, without affecting others."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.attempt import AttemptState
from bot.domain.guilds import GuildRules
from bot.domain.job import JobId, State, UserId
from bot.domain.recipes import Recipe, Stem
from storage.database.protocols import Database
from storage.stores.batches import BatchStore
from storage.stores.guild_settings import GuildStore
from storage.stores.job_store import JobStore
from storage.stores.statistics import Statistics
from tests.support.domain_factories import (
    ADMIN,
    NOW,
    USER,
    StillClock,
    a_batch,
    a_job,
    an_attempt,
    lead,
)

STRANGE = {
    "recipe": "'choir'",
    "audio_format": "'aiff'",
    "context": "'forum'",
    "entry": "77",
    "reason": "'boredom'",
    "role_ids": "'7'",
    "created_at": "9223372036854775807",
}


async def spoil(db: Database, job_id: JobId, column: str, value: str) -> None:
    await db.write(
        lambda conn: conn.execute(f"UPDATE jobs SET {column} = {value} WHERE id = ?", (job_id,))
    )


@pytest.mark.parametrize(("column", "value"), STRANGE.items())
async def test_unreadable_job_is_skipped_counted_and_named_once(
    db: Database, jobs: JobStore, caplog: pytest.LogCaptureFixture, column: str, value: str
):
    strange = await lead(jobs, State.HELD)
    other = await lead(jobs, State.HELD)
    await spoil(db, strange.id, column, value)

    for _ in range(2):
        assert [job.id for job in await jobs.unfinished()] == [other.id]
        assert [job.id for job in await jobs.of_user(USER, 10)] == [other.id]
        assert await jobs.get(strange.id) is None
        assert await jobs.of_interaction(strange.interaction_id) is None
        stale = await jobs.stale_replies(await jobs.owed())
        assert [each.job.id for each in stale] == [other.id]
    assert jobs.unreadable == 1
    [line] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage().startswith(f"{strange.id} is left as it is")


async def test_files_of_an_unreadable_job_go_when_their_time_is_over(db: Database, jobs: JobStore):
    strange = await lead(jobs, State.DELIVERED)
    await spoil(db, strange.id, "recipe", "'choir'")

    assert await jobs.expired(NOW + timedelta(days=1)) == [strange.id]


async def test_result_of_an_unknown_stem_is_left_out_and_its_attempt_kept(
    db: Database, jobs: JobStore, caplog: pytest.LogCaptureFixture
):
    job = await lead(jobs, State.PROCESSING)
    await jobs.record(replace(an_attempt(job), state=AttemptState.DONE))
    files = '[["https://a.example/1", "kazoo"], ["https://a.example/2", "vocals"]]'
    await db.write(lambda conn: conn.execute("UPDATE attempts SET files = ?", (files,)))

    [attempt] = await jobs.attempts(job.id)

    assert [file.stem for file in attempt.files] == [Stem.VOCALS]
    assert f"{job.id}: a result is of a stem unknown here: kazoo" in caplog.text


async def test_unreadable_attempt_is_skipped_and_named_once(
    db: Database, jobs: JobStore, caplog: pytest.LogCaptureFixture
):
    job, other = await lead(jobs, State.FAILED), await lead(jobs, State.FAILED)
    for each in (job, other):
        await jobs.record(an_attempt(each))
    await db.write(
        lambda conn: conn.execute("UPDATE attempts SET files = '7' WHERE job_id = ?", (job.id,))
    )

    for _ in range(2):
        assert await jobs.attempts(job.id) == []
        assert [attempt.job_id for attempt in await jobs.left_open()] == [other.id]
    [line] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage().startswith(f"an attempt of {job.id} is left as it is")


async def test_a_job_with_an_unreadable_attempt_takes_no_step(
    db: Database, jobs: JobStore, caplog: pytest.LogCaptureFixture
):
    job = await lead(jobs, State.PROCESSING)
    await jobs.record(an_attempt(job))
    await db.write(lambda conn: conn.execute("UPDATE attempts SET files = '7'"))

    for _ in range(2):
        assert await jobs.with_attempts(job.id) is None
    assert jobs.unreadable == 1
    [line] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage().startswith(f"{job.id} is left as it is")


async def test_server_rule_of_another_version_leaves_that_choice_open(db: Database):
    store = GuildStore(db=db, clock=StillClock())
    rules = GuildRules(recipe=Recipe.VOCALS, is_private=True)
    await store.change_rules(13, lambda _: rules, by=ADMIN)
    await db.write(lambda conn: conn.execute("UPDATE servers SET recipe = 'choir'"))

    assert await store.rules(13) == replace(rules, recipe=None)


async def test_figures_leave_out_reasons_of_another_version(db: Database, jobs: JobStore):
    strange, _ = await lead(jobs, State.FAILED), await lead(jobs, State.FAILED)
    await spoil(db, strange.id, "reason", "'boredom'")

    [(reason, count)] = await Statistics(db=db).reasons(NOW, 10)

    assert (reason, count) == ("timed_out", 1)


@pytest.mark.parametrize(
    ("column", "value"), [("recipe", "'choir'"), ("entry", "77"), ("created_at", str(2**63 - 1))]
)
async def test_unreadable_batch_is_skipped_and_named_once(
    db: Database, caplog: pytest.LogCaptureFixture, column: str, value: str
):
    batches = BatchStore(db=db)
    strange = await batches.add(a_batch(), [a_job().request.source])
    other = await batches.add(a_batch(user_id=UserId(5)), [a_job().request.source])
    await db.write(
        lambda conn: conn.execute(
            f"UPDATE batches SET {column} = {value} WHERE id = ?", (strange.id,)
        )
    )

    for _ in range(2):
        assert [batch.id for batch in await batches.open()] == [other.id]
        assert await batches.content(strange.id) is None
        assert await batches.of_interaction(strange.interaction_id) is None
    [line] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage().startswith(f"{strange.id} is left as it is")


async def test_unreadable_job_of_a_batch_is_named_once_and_its_batch_read(
    db: Database, jobs: JobStore, caplog: pytest.LogCaptureFixture
):
    batches = BatchStore(db=db)
    batch = await batches.add(a_batch(), [a_job().request.source])
    await batches.acknowledge(batch.id, NOW, message_id=None)
    job = await jobs.add(
        a_job(batch_id=batch.id, acknowledged_at=NOW), max_active=9, batch_number=1
    )
    await spoil(db, job.id, "recipe", "'choir'")

    for _ in range(2):
        content = await batches.content(batch.id)
        assert content is not None
        assert content.jobs == {}
    [line] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage().startswith(f"{job.id} is left as it is")


async def test_new_job_is_stored_beside_an_unreadable_one(db: Database, jobs: JobStore):
    strange = await lead(jobs, State.HELD)
    await spoil(db, strange.id, "recipe", "'choir'")

    assert (await jobs.add(a_job(), max_active=9)).state is State.RECEIVED
