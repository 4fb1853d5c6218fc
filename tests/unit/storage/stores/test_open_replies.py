"""Replies that wait for something outlive the process that was to complete them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.recipes import AudioFormat
from bot.domain.renditions import Rendition
from storage.database.opening import Address
from storage.database.protocols import Database
from storage.stores.job_store import JobStore
from storage.stores.open_replies import OpenReplies, OpenReply, ReplyKind
from storage.upkeep.forgetting import Forgetting
from tests.support.both_databases import reopen
from tests.support.domain_factories import NOW, TODAY, USER, a_job

NEWER = "UPDATE open_replies SET rendition = '{\"formants\":1}' WHERE interaction_id = 1"


async def _waiting(jobs: JobStore, number: int = 1) -> OpenReply:
    job = await jobs.add(a_job(), max_active=99)
    return OpenReply(
        interaction_id=number,
        job_id=job.id,
        user_id=USER,
        kind=ReplyKind.RESULT,
        rendition=Rendition(cents=-200, speed_percent=90),
        audio_format=AudioFormat.MP3,
        application_id=12,
        token="a token",
        token_expires_at=NOW + timedelta(minutes=15),
        locale="ja",
    )


async def test_an_open_reply_outlives_a_restart(db: Database, jobs: JobStore, address: Address):
    reply = await _waiting(jobs)
    await OpenReplies(db=db).add(reply)
    await OpenReplies(db=db).add(replace(reply, token="another"))
    again = await reopen(address)
    assert await OpenReplies(db=again).every() == [reply]
    await again.close()


async def test_a_complete_reply_is_no_longer_open(db: Database, jobs: JobStore):
    replies = OpenReplies(db=db)
    first, second = await _waiting(jobs), await _waiting(jobs, 2)
    await replies.add(first)
    await replies.add(second)
    await replies.close(first.interaction_id)
    await replies.close(first.interaction_id)
    assert await replies.every() == [second]


async def test_replies_that_cannot_be_edited_any_more_are_dropped(db: Database, jobs: JobStore):
    replies = OpenReplies(db=db)
    first, second = await _waiting(jobs), await _waiting(jobs, 2)
    await replies.add(replace(first, token_expires_at=NOW - timedelta(seconds=1)))
    await replies.add(second)
    await replies.drop_expired(NOW)
    assert await replies.every() == [second]


async def test_a_newer_versions_reply_is_skipped_and_named(
    db: Database, jobs: JobStore, caplog: pytest.LogCaptureFixture
):
    replies = OpenReplies(db=db)
    reply = await _waiting(jobs)
    await replies.add(reply)
    await db.write(lambda conn: conn.execute(NEWER))
    assert await replies.every() == []
    assert f"a reply of {reply.job_id} is left as it is" in caplog.text


async def test_forgetting_a_user_deletes_their_replies_and_those_of_their_songs(
    db: Database, jobs: JobStore
):
    replies = OpenReplies(db=db)
    await replies.add(await _waiting(jobs))
    await Forgetting(db=db).forget(USER, TODAY)
    assert await replies.every() == []
