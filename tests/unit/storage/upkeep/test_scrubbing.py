"""Scrubs serve all requests, run at most every few minutes, and are never forgotten."""

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest

from bot.domain.errors import StoreUnavailable
from bot.domain.job import UserId
from storage.database.connection import Database
from storage.upkeep.forgetting import Forgetting
from storage.upkeep.scrubbing import AT_MOST_EVERY_S, Scrubber, ask_for_scrub
from tests.support.databases import open_database
from tests.support.domain_factories import TODAY
from tests.support.fakes import FakeClock


class CountingDatabase(Database):
    """Counts its scrubs, which raise each of `errors` first."""

    scrubs: ClassVar[int] = 0
    errors: ClassVar[list[StoreUnavailable]] = []

    async def scrub(self) -> None:
        if self.errors:
            raise self.errors.pop()
        type(self).scrubs += 1
        await super().scrub()


@pytest.fixture
async def counting(path: Path):
    CountingDatabase.scrubs, CountingDatabase.errors = 0, []
    db = await open_database(path, CountingDatabase)
    yield db
    await db.close()


async def test_nothing_is_scrubbed_that_nobody_asked_for(counting: CountingDatabase):
    assert not await Scrubber(db=counting, clock=FakeClock()).scrub_if_due()
    assert counting.scrubs == 0


async def test_one_scrub_serves_all_who_asked(counting: CountingDatabase):
    clock = FakeClock()
    scrubber = Scrubber(db=counting, clock=clock)
    forgetting = Forgetting(db=counting, scrubber=scrubber)

    await asyncio.gather(*(forgetting.forget(UserId(number), TODAY) for number in range(1, 21)))

    assert counting.scrubs <= 2, "the first asks at once; the others share what comes later"
    clock.move(seconds=AT_MOST_EVERY_S)
    await scrubber.scrub_if_due()
    assert counting.scrubs <= 2
    clock.move(seconds=AT_MOST_EVERY_S)
    assert not await scrubber.scrub_if_due(), "nothing is due now"


async def test_who_presses_again_and_again_does_not_rewrite_it_each_time(
    counting: CountingDatabase,
):
    forgetting = Forgetting(db=counting, scrubber=Scrubber(db=counting, clock=FakeClock()))
    for _ in range(10):
        await forgetting.forget(UserId(7), TODAY)
    assert counting.scrubs == 1


async def test_scrub_that_failed_stays_due_over_a_restart(counting: CountingDatabase):
    await counting.write(ask_for_scrub)
    counting.errors.append(StoreUnavailable("the disk is full"))
    assert not await Scrubber(db=counting, clock=FakeClock()).scrub_if_due()

    assert await Scrubber(db=counting, clock=FakeClock()).scrub_if_due()
    assert counting.scrubs == 1


async def test_wish_that_comes_during_a_scrub_gets_one_of_its_own(path: Path):
    clock = FakeClock()

    class Interrupted(Database):
        async def scrub(self) -> None:
            await super().scrub()
            await self.write(ask_for_scrub)

    db = await open_database(path, Interrupted)
    await db.write(ask_for_scrub)
    scrubber = Scrubber(db=db, clock=clock)
    assert await scrubber.scrub_if_due()
    clock.move(seconds=AT_MOST_EVERY_S)
    assert await scrubber.scrub_if_due()
    await db.close()
