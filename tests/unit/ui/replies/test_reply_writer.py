import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.delivery.port import ReplyUnavailable
from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job, JobId, State
from bot.scheduling.progress import Progress, Stage
from bot.ui.replies.edit_routes import Way
from bot.ui.replies.message_requests import NotShown
from bot.ui.replies.reply_writer import EDITS_AT_A_TIME
from storage.database.connection import Database
from storage.stores.job_store import JobStore
from tests.support.card_factories import NOW, REPLY, a_job
from tests.unit.ui.replies.writer_harness import Desk


class AwayStore(JobStore):
    """Cannot be read the first times."""

    def __init__(self, *, db: Database) -> None:
        super().__init__(db=db)
        self.errors: list[Exception] = [StoreUnavailable("locked"), ValueError("an odd row")]

    async def unfinished(self) -> list[Job]:
        if self.errors:
            raise self.errors.pop(0)
        return await super().unfinished()


class ForgetfulStore(JobStore):
    """Cannot note what is shown."""

    async def reply_shown(
        self, job_id: JobId, version: int, *, message_id: int | None = None
    ) -> None:
        raise StoreUnavailable("locked")


async def test_a_changed_job_is_shown_once(desk: Desk) -> None:
    job = await desk.add()
    async with desk.running():
        await desk.until_nothing_is_owed()
        await desk.rest()
    assert desk.routes.first_lines == ["Starting"]
    stored = await desk.jobs.get(job.id)
    assert stored is not None
    assert stored.reply.message_id == 71


async def test_a_job_that_nobody_acknowledged_is_not_shown(desk: Desk) -> None:
    await desk.jobs.add(a_job(acknowledged_at=None, frames=None, minutes=None), max_active=1)
    async with desk.running():
        await desk.rest()
    assert desk.routes.sheets == []


async def test_progress_is_shown_at_its_pace(desk: Desk) -> None:
    job = await desk.processing()
    async with desk.running():
        await desk.until_nothing_is_owed()
        for percent in range(10):
            desk.board.put(job.id, Progress(stage=Stage.SEPARATING, fraction=percent / 100))
            await desk.rest()
        assert desk.routes.first_lines == ["Separating"]
        desk.clock.move(seconds=3)
        await desk.until(lambda: len(desk.routes.sheets) == 2)
        await desk.rest()
    assert desk.routes.sheets[1].card.lines[1].endswith(" 9 %")
    assert len(desk.routes.sheets) == 2


async def test_an_equal_card_is_not_written_again(desk: Desk) -> None:
    job = await desk.processing()
    async with desk.running():
        await desk.until_nothing_is_owed()
        desk.clock.move(seconds=20)
        await desk.jobs.touch(job.id)
        await desk.until_nothing_is_owed()
    assert desk.routes.first_lines == ["Separating"]


async def test_progress_goes_on_after_a_restart_although_nothing_is_owed(desk: Desk) -> None:
    job = await desk.processing()
    [(_, version)] = await desk.jobs.stale_replies(await desk.jobs.owed())
    await desk.jobs.reply_shown(job.id, version)
    desk.board.put(job.id, Progress(stage=Stage.SEPARATING, fraction=0.5))
    async with desk.running():
        await desk.until(lambda: len(desk.routes.sheets) == 1)
    assert desk.routes.sheets[0].card.lines[1].endswith("50 %")


async def test_a_message_found_by_its_token_is_known_by_its_id_from_then_on(desk: Desk) -> None:
    job = await desk.add(reply=replace(REPLY, message_id=None), message_id=None)
    async with desk.running():
        await desk.until_nothing_is_owed()
        desk.clock.move(seconds=5)
        desk.board.put(job.id, Progress(stage=Stage.DOWNLOADING))
        await desk.until(lambda: len(desk.routes.sheets) == 2)
    assert desk.routes.message_ids == [None, 71]


async def test_one_edit_of_a_reply_is_under_way(desk: Desk) -> None:
    job = await desk.processing()
    desk.routes.gate = asyncio.Event()
    async with desk.running():
        await desk.until(lambda: desk.routes.active == 1)
        desk.clock.move(minutes=1)
        desk.board.put(job.id, Progress(stage=Stage.SEPARATING, fraction=0.5))
        await desk.rest()
        assert desk.routes.most_active == 1
        desk.routes.gate.set()
        await desk.until(lambda: len(desk.routes.sheets) == 2)
    assert desk.routes.most_active == 1


async def test_a_state_that_comes_during_an_edit_is_shown_after_it(desk: Desk) -> None:
    job = await desk.add()
    desk.routes.gate = asyncio.Event()
    async with desk.running():
        await desk.until(lambda: desk.routes.active == 1)
        desk.clock.move(seconds=2)
        await desk.save(
            job.held(NOW, frames=44100, minutes=1, title="Neon Rain"), expected=State.RECEIVED
        )
        await desk.rest()
        desk.routes.gate.set()
        await desk.until_nothing_is_owed()
    assert desk.routes.first_lines == ["Starting", "In line"]


@pytest.mark.parametrize("error", [ReplyUnavailable("status 503"), ValueError("a bug")])
async def test_a_failed_edit_is_made_again_later_and_the_writer_lives(
    desk: Desk, error: Exception
) -> None:
    await desk.add()
    desk.routes.answers = [error, error]
    async with desk.running():
        await desk.until(lambda: len(desk.routes.answers) == 1)
        await desk.rest()
        assert len(desk.routes.answers) == 1, "it waits"
        desk.clock.move(seconds=2)
        await desk.until(lambda: not desk.routes.answers)
        desk.clock.move(seconds=4)
        await desk.until_nothing_is_owed()
    assert desk.routes.first_lines == ["Starting"]


async def test_one_bad_reply_does_not_hold_up_another(desk: Desk) -> None:
    desk.routes.answers = [ValueError("a bug")]
    await desk.add(id=JobId("first"))
    async with desk.running():
        await desk.until(lambda: not desk.routes.answers)
        await desk.add(id=JobId("other"))
        await desk.until(lambda: len(desk.routes.sheets) == 1)
    assert desk.routes.sheets[0].card.footer == "other"


async def test_a_reply_without_a_way_is_owed_nothing_more(desk: Desk) -> None:
    await desk.add()
    desk.routes.answers = [NotShown("no way is left")]
    async with desk.running():
        await desk.until_nothing_is_owed()


async def test_a_final_card_is_shown_although_edits_failed_before(desk: Desk) -> None:
    job = await desk.add()
    desk.routes.answers = [ReplyUnavailable("status 503")]
    async with desk.running():
        await desk.until(lambda: not desk.routes.answers)
        stopped = replace(job, state=State.CANCELLED)
        await desk.save(stopped, expected=State.RECEIVED)
        desk.clock.move(minutes=2)
        await desk.until_nothing_is_owed()
    assert desk.routes.first_lines == ["Cancelled"]
    stored = await desk.jobs.get(job.id)
    assert stored is not None
    assert stored.reply.token is None, "nothing more is sent with it"


async def test_a_card_that_will_be_out_of_reach_says_so_once(desk: Desk) -> None:
    await desk.processing()
    async with desk.running():
        await desk.until_nothing_is_owed()
        desk.routes.closing = True
        desk.clock.move(minutes=14)
        await desk.until(lambda: "/result" in desk.routes.sheets[-1].card.lines[-1])
        shown = len(desk.routes.sheets)
        desk.clock.move(seconds=20)
        await desk.rest()
    assert len(desk.routes.sheets) == shown


async def test_final_cards_go_first_in_a_busy_channel(desk: Desk) -> None:
    desk.routes.ways = [Way.CHANNEL]
    for number in range(3):
        await desk.add(id=JobId(f"waits{number}"))
    last = await desk.add(id=JobId("ended"))
    await desk.save(replace(last, state=State.CANCELLED), expected=State.RECEIVED)
    async with desk.running():
        await desk.until(lambda: len(desk.routes.sheets) == 1)
        await desk.rest()
        assert [sheet.card.footer for sheet in desk.routes.sheets] == ["ended"]
        desk.clock.move(seconds=1)
        await desk.until(lambda: len(desk.routes.sheets) == 2)
        await desk.rest()
    assert len(desk.routes.sheets) == 2


async def test_a_crowded_channel_gets_states_but_no_progress(desk: Desk) -> None:
    desk.routes.ways = [Way.CHANNEL]
    jobs = [await desk.add(id=JobId(f"song{number}")) for number in range(6)]
    async with desk.running():
        for shown in range(1, 7):
            await desk.until(lambda shown=shown: len(desk.routes.sheets) == shown)  # type: ignore[misc] # bound now
            desk.clock.move(seconds=1)
        desk.clock.move(minutes=1)
        for job in jobs:
            desk.board.put(job.id, Progress(stage=Stage.DOWNLOADING, fraction=0.5))
        await desk.rest()
    assert desk.routes.first_lines == ["Starting"] * 6


async def test_the_writer_outlives_a_store_that_is_away(desk: Desk) -> None:
    desk = Desk(desk.db, AwayStore(db=desk.db))
    await desk.add()
    async with desk.running():
        await desk.until_nothing_is_owed()
    assert desk.routes.first_lines == ["Starting"]


async def test_a_busy_channel_does_not_hold_up_the_rest(desk: Desk) -> None:
    desk.routes.ways = [Way.CHANNEL]
    for number in range(15):
        ended = await desk.add(id=JobId(f"ended{number}"))
        await desk.save(replace(ended, state=State.CANCELLED), expected=State.RECEIVED)
    elsewhere = replace(REPLY, channel_id=99)
    await desk.add(id=JobId("other"), reply=elsewhere)
    async with desk.running():
        await desk.until(lambda: len(desk.routes.sheets) == 2)
    assert {sheet.card.footer for sheet in desk.routes.sheets} >= {"other"}


async def test_a_thousand_replies_that_wait_do_not_hold_up_a_new_one(desk: Desk) -> None:
    desk.routes.ways = [Way.CHANNEL]
    for number in range(1000):
        await desk.add(id=JobId(f"s{number}"))
    async with desk.running():
        await desk.until(lambda: len(desk.routes.sheets) == 1)
        elsewhere = replace(REPLY, channel_id=99)
        await desk.add(id=JobId("other"), reply=elsewhere)
        desk.board.poke()
        await desk.until(lambda: len(desk.routes.sheets) == 2)
    assert desk.routes.sheets[-1].card.footer == "other"


async def test_who_is_owed_an_edit_the_longest_is_shown_first(desk: Desk) -> None:
    jobs = [await desk.add(id=JobId(f"song{number}")) for number in range(EDITS_AT_A_TIME + 2)]
    desk.routes.gate = asyncio.Event()
    async with desk.running():
        await desk.until(lambda: desk.routes.active == EDITS_AT_A_TIME)
        desk.clock.move(seconds=2)
        for job in jobs[:EDITS_AT_A_TIME]:
            held = job.held(NOW, frames=44100, minutes=1, title="Neon Rain")
            await desk.save(held, expected=State.RECEIVED)
        await desk.rest()
        desk.clock.move(seconds=1)
        await desk.add(id=JobId("new"))
        desk.routes.gate.set()
        await desk.until_nothing_is_owed()
    shown = [sheet.card.footer for sheet in desk.routes.sheets[EDITS_AT_A_TIME:]]
    assert set(shown[:2]) == {job.id for job in jobs[EDITS_AT_A_TIME:]}
    assert shown[-1] == "new"


async def test_many_cards_all_show_their_progress(desk: Desk) -> None:
    jobs = [await desk.add(id=JobId(f"song{number}")) for number in range(25)]
    async with desk.running():
        await desk.until_nothing_is_owed()
        desk.clock.move(seconds=5)
        for job in jobs:
            desk.board.put(job.id, Progress(stage=Stage.DOWNLOADING))
        await desk.until(lambda: desk.routes.first_lines.count("Getting your file") == 25)


async def test_a_reply_that_is_forgotten_is_not_touched_again(desk: Desk) -> None:
    job = await desk.processing()
    other = await desk.add(id=JobId("other"))
    async with desk.running():
        await desk.until_nothing_is_owed()
        # As when the bot could not look into its outbox meanwhile.
        await desk.db.write(
            lambda conn: conn.execute(
                "UPDATE jobs SET state = 'cancelled', shown_version = wanted_version, token = NULL"
                " WHERE id = ?",
                (job.id,),
            )
        )
        desk.replies.forget(job.id)
        await desk.rest()
        desk.clock.move(minutes=1)
        for each in (job, other):
            desk.board.put(each.id, Progress(stage=Stage.SEPARATING, fraction=0.5))
        await desk.until(lambda: len(desk.routes.sheets) == 3)
        await desk.rest()
    assert [sheet.card.footer for sheet in desk.routes.sheets[2:]] == ["other"]


@pytest.mark.parametrize("error", [ReplyUnavailable("status 503"), ValueError("a bug")])
async def test_a_last_card_that_fails_is_shown_in_the_end(desk: Desk, error: Exception) -> None:
    job = await desk.add()
    await desk.save(replace(job, state=State.CANCELLED), expected=State.RECEIVED)
    desk.routes.answers = [error] * 4
    async with desk.running():
        while desk.routes.answers:
            await desk.rest()
            desk.clock.move(minutes=1)
        await desk.until_nothing_is_owed()
    assert desk.routes.first_lines == ["Cancelled"]


async def test_a_last_card_that_nobody_noted_is_shown_once_more_and_no_other(
    desk: Desk, tmp_path: Path
) -> None:
    job = await desk.add()
    await desk.save(replace(job, state=State.CANCELLED), expected=State.RECEIVED)
    died = Desk(desk.db, ForgetfulStore(db=desk.db))
    async with died.running():
        await died.until(lambda: bool(died.routes.sheets))
        await died.rest()
    assert died.routes.first_lines == ["Cancelled"], "not over and over"
    async with desk.running():
        await desk.until_nothing_is_owed()
        await desk.rest()
    assert desk.routes.sheets == died.routes.sheets
