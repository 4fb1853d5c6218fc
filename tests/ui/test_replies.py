import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job, JobId, Reply, State, UserId
from bot.services.delivery import Delivered, Refused, ReplyUnavailable
from bot.services.progress import Progress, ProgressBoard, Stage
from bot.ui.asking import NotShown, Shown
from bot.ui.languages import Languages
from bot.ui.pacing import Pacing
from bot.ui.replies import EDITS_AT_A_TIME, Replies
from bot.ui.routes import Way
from bot.ui.sheet import Sheet
from storage.database import Database
from storage.jobs import JobStore, StaleReply
from tests.fakes import FakeClock
from tests.ui.factories import NOW, REPLY, a_job, a_parcel

T = TypeVar("T")


@dataclass
class FakeRoutes:
    """Shows sheets to nobody; `answers` come first, then every sheet is shown."""

    ways: list[Way] = field(default_factory=lambda: [Way.TOKEN])
    answers: list[Shown | NotShown | Exception] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    message_ids: list[int | None] = field(default_factory=list)
    gate: asyncio.Event | None = None
    active: int = 0
    most_active: int = 0
    closing: bool = False

    def is_closing(self, reply: Reply) -> bool:
        return self.closing

    def open_ways(self, reply: Reply, closed: set[Way]) -> list[Way]:
        return [way for way in self.ways if way not in closed]

    async def show(self, reply: Reply, sheet: Sheet, *, closed: set[Way]) -> Shown | NotShown:
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            if self.gate is not None:
                await self.gate.wait()
            answer = self.answers.pop(0) if self.answers else Shown(71)
            if isinstance(answer, Exception):
                raise answer
            self.sheets.append(sheet)
            self.message_ids.append(reply.message_id)
            return answer
        finally:
            self.active -= 1

    @property
    def first_lines(self) -> list[str]:
        return [sheet.card.lines[0] for sheet in self.sheets]


@dataclass
class FakeDirect:
    """Takes no direct message, unless `answers` say otherwise."""

    answers: list[Shown | NotShown] = field(default_factory=list)
    sent: list[tuple[UserId, Sheet, int]] = field(default_factory=list)

    async def send(self, user_id: UserId, sheet: Sheet, *, nonce: int) -> Shown | NotShown:
        self.sent.append((user_id, sheet, nonce))
        return self.answers.pop(0) if self.answers else NotShown("directly: no")


@dataclass
class FakeSequel:
    """Sends second messages to nobody; `answers` come first."""

    answers: list[Shown | NotShown] = field(default_factory=list)
    sent: list[tuple[Sheet, list[Way]]] = field(default_factory=list)

    async def send(
        self, reply: Reply, sheet: Sheet, *, ways: list[Way], nonce: str
    ) -> Shown | NotShown:
        self.sent.append((sheet, ways))
        return self.answers.pop(0) if self.answers else Shown(72)


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


class SlowStore(JobStore):
    """Hands over what one kind of read found only when the gate is open."""

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


class Desk:
    """A reply writer over a real store, with a clock that tests move."""

    def __init__(self, db: Database, jobs: JobStore | None = None) -> None:
        self.db = db
        self.jobs = jobs or JobStore(db=db)
        self.board = ProgressBoard()
        self.routes = FakeRoutes()
        self.clock = FakeClock()
        self.clock.at = NOW
        self.direct = FakeDirect()
        routes: Any = self.routes
        direct: Any = self.direct
        self.sequel = FakeSequel()
        sequel: Any = self.sequel
        self.replies = Replies(
            jobs=self.jobs,
            languages=Languages({}),
            board=self.board,
            routes=routes,
            direct=direct,
            sequel=sequel,
            pacing=Pacing(),
            clock=self.clock,
            round_gap_s=0.001,
            sweep_s=0.002,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.replies.run())
        try:
            yield
        finally:
            assert not task.done(), task
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def add(self, *, message_id: int | None = 70, **changes: Any) -> Job:
        """Store a job and acknowledge it."""
        job = await self.jobs.add(
            a_job(acknowledged_at=None, frames=None, minutes=None, **changes), max_active=2000
        )
        seen = job.acknowledged(NOW, message_id=message_id)
        await self.jobs.save(seen, expected=State.RECEIVED)
        return seen

    async def save(self, job: Job, *, expected: State) -> Job:
        await self.jobs.save(job, expected=expected)
        self.board.poke()
        return job

    async def processing(self) -> Job:
        job = await self.add()
        held = job.held(NOW, frames=44100, minutes=1, title="Neon Rain")
        await self.save(held, expected=State.RECEIVED)
        sent = held.submitting(NOW, provider="local")
        await self.save(sent, expected=State.HELD)
        return await self.save(sent.processing(NOW), expected=State.SUBMITTING)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not is_so():
                await asyncio.sleep(0.001)

    async def until_nothing_is_owed(self) -> None:
        async with asyncio.timeout(30):
            while await self.jobs.owed():
                await asyncio.sleep(0.001)

    async def rest(self) -> None:
        """Let the writer look around a few times."""
        await asyncio.sleep(0.03)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    db = await Database.open(tmp_path / "stemcord.db", durable=False)
    yield Desk(db)
    await db.close()


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


async def test_the_stems_come_into_the_reply(desk: Desk, tmp_path: Path) -> None:
    job = a_job(State.READY)
    assert await desk.replies.deliver(job, a_parcel(tmp_path)) == Delivered(71)
    [sheet] = desk.routes.sheets
    assert sheet.files is not None
    assert [file.filename for file in sheet.files] == [
        "Neon Rain (Instrumental).mp3",
        "Neon Rain (Vocals).mp3",
        "waveforms.png",
    ]


async def test_a_delivery_that_is_refused_says_why(desk: Desk, tmp_path: Path) -> None:
    desk.routes.answers = [NotShown("gone"), NotShown("large", is_too_large=True)]
    job, parcel = a_job(State.READY), a_parcel(tmp_path)
    assert await desk.replies.deliver(job, parcel) == Refused("directly: no")
    assert await desk.replies.deliver(job, parcel) == Refused("large", too_large=True)


async def test_a_delivery_that_must_wait_is_left_to_the_caller(desk: Desk, tmp_path: Path) -> None:
    desk.routes.answers = [ReplyUnavailable("status 503")]
    with pytest.raises(ReplyUnavailable):
        await desk.replies.deliver(a_job(State.READY), a_parcel(tmp_path))


async def test_nothing_replaces_the_stems_once_they_are_in_the_message(
    desk: Desk, tmp_path: Path
) -> None:
    job = await desk.processing()
    async with desk.running():
        await desk.until_nothing_is_owed()
        ready = await desk.save(job.ready(NOW), expected=State.PROCESSING)
        await desk.replies.deliver(ready, a_parcel(tmp_path))
        desk.clock.move(minutes=1)
        desk.board.put(job.id, Progress(stage=Stage.UPLOADING, fraction=1.0))
        await desk.rest()
        done = ready.delivered(NOW, message_id=71, sent=None)
        await desk.jobs.save(done, expected=State.READY, reply_is_current=True)
        await desk.jobs.touch(job.id)
        desk.board.poke()
        await desk.until_nothing_is_owed()
    assert desk.routes.sheets[-1].files is not None


@pytest.mark.parametrize("is_noted", [True, False])
@pytest.mark.parametrize("slow", ["unfinished", "owed", "stale_replies"])
async def test_what_was_read_before_a_delivery_replaces_no_stems(
    desk: Desk, tmp_path: Path, slow: str, is_noted: bool
) -> None:
    store = SlowStore(db=desk.db, slow=slow)
    desk = Desk(desk.db, store)
    job = await desk.processing()
    ready = await desk.save(job.ready(NOW), expected=State.PROCESSING)
    desk.board.put(job.id, Progress(stage=Stage.UPLOADING, fraction=1.0))
    async with desk.running():
        await store.has_read.wait()
        await desk.replies.deliver(ready, a_parcel(tmp_path))
        if is_noted:
            done = ready.delivered(NOW, message_id=71, sent=None)
            await desk.jobs.save(done, expected=State.READY, reply_is_current=True)
            desk.replies.forget(job.id)
        desk.clock.move(minutes=1)
        store.gate.set()
        await desk.until_nothing_is_owed()
        await desk.rest()
        assert len(desk.routes.sheets) == 1, "the stems, and nothing after them"


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


async def test_stems_whose_reply_is_out_of_reach_come_by_direct_message(
    desk: Desk, tmp_path: Path
) -> None:
    desk.routes.answers = [NotShown("gone")]
    desk.direct.answers = [Shown(99)]
    job = a_job(State.READY)
    answer = await desk.replies.deliver(job, a_parcel(tmp_path))
    assert answer == Delivered(None), "the reply's own message is still the one that it was"
    [(user_id, sheet, nonce)] = desk.direct.sent
    assert (user_id, nonce) == (job.request.user_id, job.interaction_id)
    assert sheet.card.lines[-1] == "Discord did not let me put them where you asked for them."


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


async def test_a_delivery_that_is_repeated_sends_its_second_message_once(
    desk: Desk, tmp_path: Path
) -> None:
    job = await desk.processing()
    ready = await desk.save(job.ready(NOW), expected=State.PROCESSING)
    parcel = a_parcel(tmp_path)
    parcel = replace(parcel, more=parcel.files)
    async with desk.running():
        await desk.until_nothing_is_owed()
        for _ in range(2):  # as when the store could not note the first
            assert await desk.replies.deliver(ready, parcel) == Delivered(71)
            await desk.rest()
    assert len(desk.sequel.sent) == 1
