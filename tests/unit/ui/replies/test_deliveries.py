"""Delivering stems in a reply, with no edit after them."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from bot.delivery.port import Delivered, Refused, ReplyUnavailable
from bot.domain.job import Job, JobId, State
from bot.scheduling.progress import Progress, Stage
from bot.ui.replies.message_requests import Edited, NotEdited
from storage.database.connection import Database
from storage.stores.job_store import JobStore, StaleReply
from tests.support.card_factories import NOW, a_delivery, a_job
from tests.support.domain_factories import make_stale
from tests.unit.ui.replies.writer_harness import WriterHarness

T = TypeVar("T")


class SlowStore(JobStore):
    """Delays the results of one kind of read until the gate opens."""

    def __init__(self, *, db: Database, slow: str) -> None:
        super().__init__(db=db)
        self._slow = slow
        self.gate = asyncio.Event()
        self.has_read = asyncio.Event()

    async def unfinished(self) -> list[Job]:
        return await self._handed_over("unfinished", await super().unfinished())

    async def owed(self) -> dict[JobId, int]:
        return await self._handed_over("owed", await super().owed())

    async def stale_replies(self, among: Iterable[JobId]) -> list[StaleReply]:
        return await self._handed_over("stale_replies", await super().stale_replies(among))

    async def _handed_over(self, read: str, found: T) -> T:
        if read == self._slow:
            self.has_read.set()
            await self.gate.wait()
        return found


async def test_the_stems_come_into_the_reply(writer_harness: WriterHarness, tmp_path: Path) -> None:
    job = a_job(State.READY)
    assert await writer_harness.replies.deliver(job, a_delivery(tmp_path)) == Delivered(71)
    [content] = writer_harness.routes.contents
    assert content.files is not None
    assert [file.filename for file in content.files] == [
        "Neon Rain (Instrumental).mp3",
        "Neon Rain (Vocals).mp3",
        "waveforms.png",
    ]


async def test_a_delivery_that_is_refused_says_why(
    writer_harness: WriterHarness, tmp_path: Path
) -> None:
    writer_harness.routes.answers = [NotEdited("gone"), NotEdited("large", is_too_large=True)]
    job, delivery = a_job(State.READY), a_delivery(tmp_path)
    assert await writer_harness.replies.deliver(job, delivery) == Refused("directly: no")
    assert await writer_harness.replies.deliver(job, delivery) == Refused("large", too_large=True)


async def test_a_delivery_that_must_wait_is_left_to_the_caller(
    writer_harness: WriterHarness, tmp_path: Path
) -> None:
    writer_harness.routes.answers = [ReplyUnavailable("status 503")]
    with pytest.raises(ReplyUnavailable):
        await writer_harness.replies.deliver(a_job(State.READY), a_delivery(tmp_path))


async def test_nothing_replaces_the_stems_once_they_are_in_the_message(
    writer_harness: WriterHarness, tmp_path: Path
) -> None:
    job = await writer_harness.processing()
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        ready = await writer_harness.save(job.ready(NOW), expected=State.PROCESSING)
        await writer_harness.replies.deliver(ready, a_delivery(tmp_path))
        writer_harness.clock.move(minutes=1)
        writer_harness.board.put(job.id, Progress(stage=Stage.UPLOADING, fraction=1.0))
        await writer_harness.rest()
        done = ready.delivered(NOW, message_id=71, sent=None)
        await writer_harness.jobs.save(done, expected=State.READY, reply_is_current=True)
        await make_stale(writer_harness.db, job.id)
        writer_harness.board.poke()
        await writer_harness.until_nothing_is_owed()
    assert writer_harness.routes.contents[-1].files is not None


@pytest.mark.parametrize("is_noted", [True, False])
@pytest.mark.parametrize("slow", ["unfinished", "owed", "stale_replies"])
async def test_what_was_read_before_a_delivery_replaces_no_stems(
    writer_harness: WriterHarness, tmp_path: Path, slow: str, is_noted: bool
) -> None:
    store = SlowStore(db=writer_harness.db, slow=slow)
    writer_harness = WriterHarness(writer_harness.db, store)
    job = await writer_harness.processing()
    ready = await writer_harness.save(job.ready(NOW), expected=State.PROCESSING)
    writer_harness.board.put(job.id, Progress(stage=Stage.UPLOADING, fraction=1.0))
    async with writer_harness.running():
        await store.has_read.wait()
        await writer_harness.replies.deliver(ready, a_delivery(tmp_path))
        if is_noted:
            done = ready.delivered(NOW, message_id=71, sent=None)
            await writer_harness.jobs.save(done, expected=State.READY, reply_is_current=True)
            writer_harness.replies.forget(job.id)
        writer_harness.clock.move(minutes=1)
        store.gate.set()
        await writer_harness.until_nothing_is_owed()
        await writer_harness.rest()
        assert len(writer_harness.routes.contents) == 1, "the stems, and nothing after them"


async def test_stems_whose_reply_is_out_of_reach_come_by_direct_message(
    writer_harness: WriterHarness, tmp_path: Path
) -> None:
    writer_harness.routes.answers = [NotEdited("gone")]
    writer_harness.direct_messages.answers = [Edited(99)]
    job = a_job(State.READY)
    answer = await writer_harness.replies.deliver(job, a_delivery(tmp_path))
    assert answer == Delivered(None), "the reply's own message is still the one that it was"
    [(user_id, content, nonce)] = writer_harness.direct_messages.sent
    assert (user_id, nonce) == (job.request.user_id, job.interaction_id)
    assert content.card.lines[-1] == "Discord didn't let me post them where you asked for them."


async def test_a_delivery_that_is_repeated_sends_its_second_message_once(
    writer_harness: WriterHarness, tmp_path: Path
) -> None:
    job = await writer_harness.processing()
    ready = await writer_harness.save(job.ready(NOW), expected=State.PROCESSING)
    delivery = a_delivery(tmp_path)
    delivery = replace(delivery, more=delivery.files)
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        for _ in range(2):  # as if the store had failed to record the first
            assert await writer_harness.replies.deliver(ready, delivery) == Delivered(71)
            await writer_harness.rest()
    assert len(writer_harness.follow_up.sent) == 1
