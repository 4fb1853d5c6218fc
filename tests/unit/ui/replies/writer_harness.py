"""A reply writer with a real store and fake routes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.domain.job import Job, Reply, State, UserId
from bot.i18n.languages import Languages
from bot.jobs.job_runtime import Runtimes
from bot.ui.cards.message_content import MessageContent
from bot.ui.replies.edit_routes import EditRoute
from bot.ui.replies.message_requests import Edited, NotEdited
from bot.ui.replies.pacing import Pacing
from bot.ui.replies.reply_writer import ReplyWriter
from storage.database.connection import Database
from storage.stores.job_store import JobStore
from tests.support.card_factories import NOW, a_job
from tests.support.fakes import FakeClock


@dataclass
class FakeRoutes:
    """Records contents. It returns or raises each of `answers` first, then accepts everything."""

    routes: list[EditRoute] = field(default_factory=lambda: [EditRoute.TOKEN])
    answers: list[Edited | NotEdited | Exception] = field(default_factory=list)
    contents: list[MessageContent] = field(default_factory=list)
    message_ids: list[int | None] = field(default_factory=list)
    gate: asyncio.Event | None = None
    active: int = 0
    most_active: int = 0
    closing: bool = False

    def is_closing(self, reply: Reply) -> bool:
        return self.closing

    def open_routes(self, reply: Reply, closed: set[EditRoute]) -> list[EditRoute]:
        return [route for route in self.routes if route not in closed]

    async def show(
        self, reply: Reply, content: MessageContent, *, closed: set[EditRoute]
    ) -> Edited | NotEdited:
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            if self.gate is not None:
                await self.gate.wait()
            answer = self.answers.pop(0) if self.answers else Edited(71)
            if isinstance(answer, Exception):
                raise answer
            self.contents.append(content)
            self.message_ids.append(reply.message_id)
            return answer
        finally:
            self.active -= 1

    @property
    def first_lines(self) -> list[str]:
        return [content.card.lines[0] for content in self.contents]


@dataclass
class FakeDirectMessages:
    """Refuses direct messages after returning each of `answers`."""

    answers: list[Edited | NotEdited] = field(default_factory=list)
    sent: list[tuple[UserId, MessageContent, int]] = field(default_factory=list)

    async def send(
        self, user_id: UserId, content: MessageContent, *, nonce: int
    ) -> Edited | NotEdited:
        self.sent.append((user_id, content, nonce))
        return self.answers.pop(0) if self.answers else NotEdited("directly: no")


@dataclass
class FakeFollowUp:
    """Records follow-up messages, returning each of `answers` first."""

    answers: list[Edited | NotEdited] = field(default_factory=list)
    sent: list[tuple[MessageContent, list[EditRoute]]] = field(default_factory=list)

    async def send(
        self, reply: Reply, content: MessageContent, *, routes: list[EditRoute], nonce: str
    ) -> Edited | NotEdited:
        self.sent.append((content, routes))
        return self.answers.pop(0) if self.answers else Edited(72)


class WriterHarness:
    """A reply writer with a real store, and a clock that tests move."""

    def __init__(self, db: Database, jobs: JobStore | None = None) -> None:
        self.db = db
        self.jobs = jobs or JobStore(db=db)
        self.runtimes = Runtimes()
        self.board = self.runtimes.board
        self.routes = FakeRoutes()
        self.clock = FakeClock()
        self.clock.at = NOW
        self.direct_messages = FakeDirectMessages()
        routes: Any = self.routes
        direct_messages: Any = self.direct_messages
        self.follow_up = FakeFollowUp()
        follow_up: Any = self.follow_up
        self.replies = ReplyWriter(
            jobs=self.jobs,
            languages=Languages({}),
            board=self.board,
            routes=routes,
            direct_messages=direct_messages,
            follow_up=follow_up,
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
        self.runtimes.open(job.id)
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
        """Let the writer run for a few loop iterations."""
        await asyncio.sleep(0.03)
