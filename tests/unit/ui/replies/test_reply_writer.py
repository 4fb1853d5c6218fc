import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.delivery.port import ReplyUnavailable
from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job, JobId, State
from bot.scheduling.progress import Progress, Stage
from bot.ui.replies.edit_routes import EditRoute
from bot.ui.replies.message_requests import NotEdited
from bot.ui.replies.reply_writer import EDITS_PER_ROUND, MAX_CONCURRENT_EDITS
from storage.database.connection import Database
from storage.stores.job_store import JobStore
from tests.support.card_factories import NOW, REPLY, a_job
from tests.support.domain_factories import make_stale
from tests.unit.ui.replies.writer_harness import WriterHarness


class AwayStore(JobStore):
    """Fails the first reads."""

    def __init__(self, *, db: Database) -> None:
        super().__init__(db=db)
        self.errors: list[Exception] = [StoreUnavailable("locked"), ValueError("an odd row")]

    async def unfinished(self) -> list[Job]:
        if self.errors:
            raise self.errors.pop(0)
        return await super().unfinished()


class ForgetfulStore(JobStore):
    """Cannot record the shown version."""

    async def reply_shown(
        self, job_id: JobId, version: int, *, message_id: int | None = None
    ) -> None:
        raise StoreUnavailable("locked")


async def test_a_changed_job_is_shown_once(writer_harness: WriterHarness) -> None:
    job = await writer_harness.add()
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        await writer_harness.rest()
    assert writer_harness.routes.first_lines == ["Starting"]
    stored = await writer_harness.jobs.get(job.id)
    assert stored is not None
    assert stored.reply.message_id == 71


async def test_a_job_that_nobody_acknowledged_is_not_shown(writer_harness: WriterHarness) -> None:
    await writer_harness.jobs.add(
        a_job(acknowledged_at=None, frames=None, minutes=None), max_active=1
    )
    async with writer_harness.running():
        await writer_harness.rest()
    assert writer_harness.routes.contents == []


async def test_progress_is_shown_at_its_pace(writer_harness: WriterHarness) -> None:
    job = await writer_harness.processing()
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        for percent in range(10):
            writer_harness.board.put(
                job.id, Progress(stage=Stage.SEPARATING, fraction=percent / 100)
            )
            await writer_harness.rest()
        assert writer_harness.routes.first_lines == ["Separating"]
        writer_harness.clock.move(seconds=3)
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 2)
        await writer_harness.rest()
    assert writer_harness.routes.contents[1].card.lines[1].endswith(" 9 %")
    assert len(writer_harness.routes.contents) == 2


async def test_an_equal_card_is_not_written_again(writer_harness: WriterHarness) -> None:
    job = await writer_harness.processing()
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        writer_harness.clock.move(seconds=20)
        await make_stale(writer_harness.db, job.id)
        await writer_harness.until_nothing_is_owed()
    assert writer_harness.routes.first_lines == ["Separating"]


async def test_progress_goes_on_after_a_restart_although_nothing_is_owed(
    writer_harness: WriterHarness,
) -> None:
    job = await writer_harness.processing()
    [(_, version)] = await writer_harness.jobs.stale_replies(await writer_harness.jobs.owed())
    await writer_harness.jobs.reply_shown(job.id, version)
    writer_harness.board.put(job.id, Progress(stage=Stage.SEPARATING, fraction=0.5))
    async with writer_harness.running():
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 1)
    assert writer_harness.routes.contents[0].card.lines[1].endswith("50 %")


async def test_a_message_found_by_its_token_is_known_by_its_id_from_then_on(
    writer_harness: WriterHarness,
) -> None:
    job = await writer_harness.add(reply=replace(REPLY, message_id=None), message_id=None)
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        writer_harness.clock.move(seconds=5)
        writer_harness.board.put(job.id, Progress(stage=Stage.DOWNLOADING))
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 2)
    assert writer_harness.routes.message_ids == [None, 71]


async def test_one_edit_of_a_reply_is_under_way(writer_harness: WriterHarness) -> None:
    job = await writer_harness.processing()
    writer_harness.routes.gate = asyncio.Event()
    async with writer_harness.running():
        await writer_harness.until(lambda: writer_harness.routes.active == 1)
        writer_harness.clock.move(minutes=1)
        writer_harness.board.put(job.id, Progress(stage=Stage.SEPARATING, fraction=0.5))
        await writer_harness.rest()
        assert writer_harness.routes.most_active == 1
        writer_harness.routes.gate.set()
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 2)
    assert writer_harness.routes.most_active == 1


async def test_a_state_that_comes_during_an_edit_is_shown_after_it(
    writer_harness: WriterHarness,
) -> None:
    job = await writer_harness.add()
    writer_harness.routes.gate = asyncio.Event()
    async with writer_harness.running():
        await writer_harness.until(lambda: writer_harness.routes.active == 1)
        writer_harness.clock.move(seconds=2)
        await writer_harness.save(
            job.held(NOW, frames=44100, minutes=1, title="Neon Rain"), expected=State.RECEIVED
        )
        await writer_harness.rest()
        writer_harness.routes.gate.set()
        await writer_harness.until_nothing_is_owed()
    assert writer_harness.routes.first_lines == ["Starting", "In line"]


@pytest.mark.parametrize("error", [ReplyUnavailable("status 503"), ValueError("a bug")])
async def test_a_failed_edit_is_made_again_later_and_the_writer_lives(
    writer_harness: WriterHarness, error: Exception
) -> None:
    await writer_harness.add()
    writer_harness.routes.answers = [error, error]
    async with writer_harness.running():
        await writer_harness.until(lambda: len(writer_harness.routes.answers) == 1)
        await writer_harness.rest()
        assert len(writer_harness.routes.answers) == 1, "it waits"
        writer_harness.clock.move(seconds=3)
        await writer_harness.until(lambda: not writer_harness.routes.answers)
        writer_harness.clock.move(seconds=6)
        await writer_harness.until_nothing_is_owed()
    assert writer_harness.routes.first_lines == ["Starting"]


async def test_one_bad_reply_does_not_hold_up_another(writer_harness: WriterHarness) -> None:
    writer_harness.routes.answers = [ValueError("a bug")]
    await writer_harness.add(id=JobId("first"))
    async with writer_harness.running():
        await writer_harness.until(lambda: not writer_harness.routes.answers)
        await writer_harness.add(id=JobId("other"))
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 1)
    assert writer_harness.routes.contents[0].card.footer == "other"


async def test_a_reply_without_a_way_is_owed_nothing_more(writer_harness: WriterHarness) -> None:
    await writer_harness.add()
    writer_harness.routes.answers = [NotEdited("no route is left")]
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()


async def test_a_final_card_is_shown_although_edits_failed_before(
    writer_harness: WriterHarness,
) -> None:
    job = await writer_harness.add()
    writer_harness.routes.answers = [ReplyUnavailable("status 503")]
    async with writer_harness.running():
        await writer_harness.until(lambda: not writer_harness.routes.answers)
        stopped = replace(job, state=State.CANCELLED)
        await writer_harness.save(stopped, expected=State.RECEIVED)
        writer_harness.clock.move(minutes=2)
        await writer_harness.until_nothing_is_owed()
    assert writer_harness.routes.first_lines == ["Cancelled"]
    stored = await writer_harness.jobs.get(job.id)
    assert stored is not None
    assert stored.reply.token is None, "nothing more is sent with it"


async def test_a_card_that_will_be_out_of_reach_says_so_once(writer_harness: WriterHarness) -> None:
    await writer_harness.processing()
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        writer_harness.routes.closing = True
        writer_harness.clock.move(minutes=14)
        await writer_harness.until(
            lambda: "/result" in writer_harness.routes.contents[-1].card.lines[-1]
        )
        shown = len(writer_harness.routes.contents)
        writer_harness.clock.move(seconds=20)
        await writer_harness.rest()
    assert len(writer_harness.routes.contents) == shown


async def test_final_cards_go_first_in_a_busy_channel(writer_harness: WriterHarness) -> None:
    writer_harness.routes.routes = [EditRoute.CHANNEL]
    for number in range(3):
        await writer_harness.add(id=JobId(f"waits{number}"))
    last = await writer_harness.add(id=JobId("ended"))
    await writer_harness.save(replace(last, state=State.CANCELLED), expected=State.RECEIVED)
    async with writer_harness.running():
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 1)
        await writer_harness.rest()
        assert [content.card.footer for content in writer_harness.routes.contents] == ["ended"]
        writer_harness.clock.move(seconds=1)
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 2)
        await writer_harness.rest()
    assert len(writer_harness.routes.contents) == 2


async def test_a_crowded_channel_gets_states_but_no_progress(writer_harness: WriterHarness) -> None:
    writer_harness.routes.routes = [EditRoute.CHANNEL]
    jobs = [await writer_harness.add(id=JobId(f"song{number}")) for number in range(6)]
    async with writer_harness.running():
        contents = writer_harness.routes.contents
        for shown in range(1, 7):
            await writer_harness.until(lambda shown=shown: len(contents) == shown)  # type: ignore[misc] # bound now
            writer_harness.clock.move(seconds=1)
        writer_harness.clock.move(minutes=1)
        for job in jobs:
            writer_harness.board.put(job.id, Progress(stage=Stage.DOWNLOADING, fraction=0.5))
        await writer_harness.rest()
    assert writer_harness.routes.first_lines == ["Starting"] * 6


async def test_the_writer_outlives_a_store_that_is_away(writer_harness: WriterHarness) -> None:
    writer_harness = WriterHarness(writer_harness.db, AwayStore(db=writer_harness.db))
    await writer_harness.add()
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
    assert writer_harness.routes.first_lines == ["Starting"]


async def test_a_store_that_stays_away_is_logged_once(
    writer_harness: WriterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    store = AwayStore(db=writer_harness.db)
    store.errors = [StoreUnavailable("locked"), ValueError("an odd row")] * 20
    writer_harness = WriterHarness(writer_harness.db, store)
    await writer_harness.add()
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
    said = [record.getMessage() for record in caplog.records]
    assert said == ["can't read the outbox: locked", "can't read the outbox"]


async def test_a_busy_channel_does_not_hold_up_the_rest(writer_harness: WriterHarness) -> None:
    writer_harness.routes.routes = [EditRoute.CHANNEL]
    for number in range(15):
        ended = await writer_harness.add(id=JobId(f"ended{number}"))
        await writer_harness.save(replace(ended, state=State.CANCELLED), expected=State.RECEIVED)
    elsewhere = replace(REPLY, channel_id=99)
    await writer_harness.add(id=JobId("other"), reply=elsewhere)
    async with writer_harness.running():
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 2)
    assert {content.card.footer for content in writer_harness.routes.contents} >= {"other"}


async def test_hundreds_of_replies_that_wait_do_not_hold_up_a_new_one(
    writer_harness: WriterHarness,
) -> None:
    writer_harness.routes.routes = [EditRoute.CHANNEL]
    for number in range(300):
        await writer_harness.add(id=JobId(f"s{number}"))
    async with writer_harness.running():
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 1)
        elsewhere = replace(REPLY, channel_id=99)
        await writer_harness.add(id=JobId("other"), reply=elsewhere)
        writer_harness.board.poke()
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 2)
    assert writer_harness.routes.contents[-1].card.footer == "other"


async def test_who_is_owed_an_edit_the_longest_is_shown_first(
    writer_harness: WriterHarness,
) -> None:
    jobs = [
        await writer_harness.add(id=JobId(f"song{number}"))
        for number in range(MAX_CONCURRENT_EDITS + 2)
    ]
    writer_harness.routes.gate = asyncio.Event()
    async with writer_harness.running():
        await writer_harness.until(lambda: writer_harness.routes.active == MAX_CONCURRENT_EDITS)
        writer_harness.clock.move(seconds=2)
        for job in jobs[:MAX_CONCURRENT_EDITS]:
            held = job.held(NOW, frames=44100, minutes=1, title="Neon Rain")
            await writer_harness.save(held, expected=State.RECEIVED)
        await writer_harness.rest()
        writer_harness.clock.move(seconds=1)
        await writer_harness.add(id=JobId("new"))
        writer_harness.routes.gate.set()
        await writer_harness.until_nothing_is_owed()
    shown = [
        content.card.footer for content in writer_harness.routes.contents[MAX_CONCURRENT_EDITS:]
    ]
    assert set(shown[:2]) == {job.id for job in jobs[MAX_CONCURRENT_EDITS:]}
    assert shown[-1] == "new"


async def test_many_cards_all_show_their_progress(writer_harness: WriterHarness) -> None:
    jobs = [await writer_harness.add(id=JobId(f"song{number}")) for number in range(25)]
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        writer_harness.clock.move(seconds=5)
        for job in jobs:
            writer_harness.board.put(job.id, Progress(stage=Stage.DOWNLOADING))
        await writer_harness.until(
            lambda: writer_harness.routes.first_lines.count("Getting your file") == 25
        )


async def test_a_reply_that_is_forgotten_is_not_touched_again(
    writer_harness: WriterHarness,
) -> None:
    job = await writer_harness.processing()
    other = await writer_harness.add(id=JobId("other"))
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        # As if the bot had been unable to read its outbox in the meantime.
        await writer_harness.db.write(
            lambda conn: conn.execute(
                "UPDATE jobs SET state = 'cancelled', shown_version = wanted_version, token = NULL"
                " WHERE id = ?",
                (job.id,),
            )
        )
        writer_harness.replies.forget(job.id)
        await writer_harness.rest()
        writer_harness.clock.move(minutes=1)
        for each in (job, other):
            writer_harness.board.put(each.id, Progress(stage=Stage.SEPARATING, fraction=0.5))
        await writer_harness.until(lambda: len(writer_harness.routes.contents) == 3)
        await writer_harness.rest()
    assert [content.card.footer for content in writer_harness.routes.contents[2:]] == ["other"]


@pytest.mark.parametrize("error", [ReplyUnavailable("status 503"), ValueError("a bug")])
async def test_a_last_card_that_fails_is_shown_in_the_end(
    writer_harness: WriterHarness, error: Exception
) -> None:
    job = await writer_harness.add()
    await writer_harness.save(replace(job, state=State.CANCELLED), expected=State.RECEIVED)
    writer_harness.routes.answers = [error] * 4
    async with writer_harness.running():
        while writer_harness.routes.answers:
            await writer_harness.rest()
            writer_harness.clock.move(minutes=1)
        await writer_harness.until_nothing_is_owed()
    assert writer_harness.routes.first_lines == ["Cancelled"]


async def test_a_last_card_that_nobody_noted_is_shown_once_more_and_no_other(
    writer_harness: WriterHarness, tmp_path: Path
) -> None:
    job = await writer_harness.add()
    await writer_harness.save(replace(job, state=State.CANCELLED), expected=State.RECEIVED)
    died = WriterHarness(writer_harness.db, ForgetfulStore(db=writer_harness.db))
    async with died.running():
        await died.until(lambda: bool(died.routes.contents))
        await died.rest()
    assert died.routes.first_lines == ["Cancelled"], "not over and over"
    async with writer_harness.running():
        await writer_harness.until_nothing_is_owed()
        await writer_harness.rest()
    assert writer_harness.routes.contents == died.routes.contents


async def test_edits_that_are_due_together_are_spread_over_the_round(
    writer_harness: WriterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(EDITS_PER_ROUND):
        await writer_harness.add(id=JobId(f"song{number}"))
    started: list[str] = []
    really_create, really_sleep = asyncio.create_task, asyncio.sleep

    def note_task(work: Any, *, name: str | None = None) -> Any:
        if name is not None and name.startswith("reply "):
            started.append("edit")
        return really_create(work, name=name)

    async def note_sleep(seconds: float) -> None:
        if started and seconds:
            started.append("pause")
        await really_sleep(seconds)

    async with writer_harness.running():
        monkeypatch.setattr(asyncio, "create_task", note_task)
        monkeypatch.setattr(asyncio, "sleep", note_sleep)
        await writer_harness.until_nothing_is_owed()
    edits = [index for index, each in enumerate(started) if each == "edit"]
    assert len(edits) == EDITS_PER_ROUND
    assert all("pause" in started[one:other] for one, other in pairwise(edits))
