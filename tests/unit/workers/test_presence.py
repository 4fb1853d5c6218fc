import logging
from dataclasses import replace

import pytest

from bot.domain.errors import StoreUnavailable
from bot.providers.self_hosted.declared_models import decode_models, usable_models
from bot.workers.presence import Presence, describe
from storage.work_queue.living_workers import WorkerRow
from tests.support.fakes import TWO_STEMS, FakeProvider


class Rows:
    """Records what is written, or raises."""

    def __init__(self) -> None:
        self.written: list[WorkerRow] = []
        self.error: Exception | None = None

    async def arrive(self, worker: WorkerRow) -> None:
        await self.seen(worker)

    async def seen(self, worker: WorkerRow) -> None:
        if self.error is not None:
            raise self.error
        self.written.append(worker)


def test_a_worker_describes_its_models_and_has_an_id_of_its_own():
    providers = [FakeProvider(concurrency=1), FakeProvider("other", concurrency=2)]
    row = describe(providers, version="0.1")
    assert decode_models(row.models) == (TWO_STEMS, TWO_STEMS)
    assert (row.slots, row.version, row.device) == (2, "0.1", "cpu")
    assert describe(providers, version="0.1").id != row.id


async def test_a_worker_that_leaves_takes_nothing_more():
    rows, row = Rows(), describe([FakeProvider()], version="0.1")
    presence = Presence(workers=rows, worker=row)  # type: ignore[arg-type] # matches by shape
    recorded = [presence.is_recorded]
    await presence.arrive()
    assert [*recorded, presence.is_recorded] == [False, True]
    await presence.leave()
    assert rows.written == [row, replace(row, slots=0)]


async def test_an_outage_is_logged_and_not_raised(caplog: pytest.LogCaptureFixture):
    rows = Rows()
    presence = Presence(workers=rows, worker=describe([FakeProvider()], version="0.1"))  # type: ignore[arg-type] # matches by shape
    rows.error = StoreUnavailable("away")
    with caplog.at_level(logging.WARNING):
        await presence.leave()
        await presence.leave()
    assert caplog.text.count("away") == 1


async def test_a_worker_offers_what_it_can_use_and_takes_nothing_without_any():
    rows, row = Rows(), describe([FakeProvider()], version="0.1")
    presence = Presence(workers=rows, worker=row)  # type: ignore[arg-type] # matches by shape
    four = replace(TWO_STEMS, name="four")
    both = [TWO_STEMS, four]
    for troubles, usable in (
        ({"two": "cut off"}, (four,)),
        ({"two": "paused", "four": "paused"}, ()),
        ({}, (TWO_STEMS, four)),
    ):
        await presence.offer(both, troubles=troubles)
        assert decode_models(rows.written[-1].models) == (TWO_STEMS, four)
        assert usable_models(rows.written[-1].models) == usable
    await presence.leave()
    await presence.offer(both, troubles={})
    assert [(each.slots, each.trouble) for each in rows.written] == [
        (row.slots, "two: cut off"),
        (0, "two, four: paused"),
        (row.slots, None),
        (0, None),
        (0, None),
    ]
