"""The cards of batches, each edited independently of the others."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import Reason
from bot.domain.job import Reply, UserId
from bot.jobs.job_runtime import Runtimes
from bot.ui.cards.message_content import MessageContent
from bot.ui.replies.batch_writer import BatchWriter
from bot.ui.replies.edit_routes import EditRoute
from bot.ui.replies.message_requests import Edited
from bot.ui.replies.pacing import Pacing
from storage.database.connection import Database
from storage.stores.batches import Batch, BatchStore
from storage.upkeep.forgetting import Forgetting
from tests.support.databases import open_database
from tests.support.domain_factories import NOW, TODAY, StillClock, a_batch, a_job
from tests.support.installed_languages import installed
from tests.support.memory import mentions

SLOW_CHANNEL = 99


class Routes:
    """Edits cards; edits in one channel hang while it is slow."""

    def __init__(self) -> None:
        self.shown: dict[int, MessageContent] = {}
        self.slow_is_over = asyncio.Event()

    def open_routes(self, reply: Reply, closed: set[EditRoute]) -> list[EditRoute]:
        return [EditRoute.TOKEN]

    def is_closing(self, reply: Reply) -> bool:
        return False

    async def show(self, reply: Reply, content: MessageContent, *, closed: set[EditRoute]) -> Any:
        if reply.channel_id == SLOW_CHANNEL:
            await self.slow_is_over.wait()
        self.shown[reply.channel_id] = content
        return Edited(70)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(tmp_path / "stemcord.db", Database)
    yield database
    await database.close()


@pytest.fixture
def routes() -> Routes:
    return Routes()


@pytest.fixture
def batches(db: Database) -> BatchStore:
    return BatchStore(db=db)


@pytest.fixture
async def writer(batches: BatchStore, routes: Routes) -> AsyncIterator[BatchWriter]:
    writer = BatchWriter(
        batches=batches,
        languages=installed(),
        board=Runtimes().board,
        routes=routes,  # type: ignore[arg-type] # a fake matches by shape
        direct_messages=None,  # type: ignore[arg-type] # no reply is out of reach
        pacing=Pacing(),
        clock=StillClock(),
        sweep_s=0.01,
    )
    running = asyncio.create_task(writer.run())
    yield writer
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def started(batches: BatchStore, *, user_id: int, channel_id: int) -> Batch:
    batch = a_batch(user_id=UserId(user_id))
    batch = replace(batch, reply=replace(batch.reply, channel_id=channel_id))
    await batches.add(batch, [a_job().request.source])
    await batches.acknowledge(batch.id, NOW, message_id=70)
    return batch


@pytest.mark.usefixtures("writer")
async def test_a_card_does_not_wait_for_another_whose_edit_hangs(
    batches: BatchStore, routes: Routes
) -> None:
    slow = await started(batches, user_id=1, channel_id=SLOW_CHANNEL)
    await started(batches, user_id=2, channel_id=5)
    async with asyncio.timeout(10):
        while await batches.owed() != {slow.id: 2}:
            await asyncio.sleep(0.01)
        assert 5 in routes.shown
        await started(batches, user_id=3, channel_id=6)
        while 6 not in routes.shown:
            await asyncio.sleep(0.01)
        await batches.stop(slow.id, NOW, Reason.STOPPED_BY_USER)
        await batches.close(slow.id, NOW)
        routes.slow_is_over.set()
        while await batches.owed():
            await asyncio.sleep(0.01)
    assert routes.shown[SLOW_CHANNEL].card.buttons == (), "what changed meanwhile is shown"


async def test_nothing_is_kept_in_memory_of_a_batch_that_was_forgotten_during_its_edit(
    writer: BatchWriter, batches: BatchStore, routes: Routes, db: Database
) -> None:
    batch = await started(batches, user_id=1, channel_id=SLOW_CHANNEL)
    await asyncio.sleep(0.1)
    await batches.stop(batch.id, NOW, Reason.STOPPED_BY_USER)
    await Forgetting(db=db).forget(UserId(1), TODAY)
    routes.slow_is_over.set()
    async with asyncio.timeout(10):
        while mentions(writer, batch.id):
            await asyncio.sleep(0.01)
