"""When the bot sweeps and cleans; what a sweep does is tested with a database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.domain.errors import ObjectStoreUnavailable, StoreUnavailable
from bot.domain.job import JobId
from bot.workers import sweeper as module
from bot.workers.sweeper import Sweeper
from storage.work_queue.separation_sweep import Swept
from storage.work_queue.separations import SeparationKey

KEY = SeparationKey(job_id=JobId("k7f2q"), number=2)


class Outside:
    """The database and the object store of a sweeper."""

    def __init__(self) -> None:
        self.sweeps = 0
        self.probes = 0
        self.removed: list[str] = []
        self.left: list[SeparationKey] = []
        self.error: Exception | None = None
        self.store_error: Exception | None = None
        self.stored: list[str] = []

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    async def sweep(self, *, stalled_s: float) -> Swept:
        self._fail()
        self.sweeps += 1
        return Swept()

    async def highest_turn(self) -> int:
        self._fail()
        self.probes += 1
        return 0

    async def left_behind(self) -> list[SeparationKey]:
        return list(self.left)

    async def cancel(self, key: SeparationKey) -> None:
        self.removed.append(f"task {key}")

    async def remove(self, key: SeparationKey) -> None:
        self.left.remove(key)

    async def needed(self) -> frozenset[JobId]:
        return frozenset({JobId("a2b3c")})

    async def folders_under(self, prefix: str) -> list[str]:
        return self.stored

    async def remove_under(self, prefix: str) -> None:
        if self.store_error is not None:
            raise self.store_error
        self.removed.append(prefix)


def sweeper(outside: Outside, *, stalled_s: float = 0.05) -> Sweeper:
    parts: dict[str, Any] = dict.fromkeys(("separations", "sweep", "objects"), outside)
    return Sweeper(**parts, stalled_s=stalled_s, every_s=0.001)


@asynccontextmanager
async def running(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work())
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_first_sweep_waits_until_every_worker_has_beaten():
    outside = Outside()
    async with running(sweeper(outside).run):
        while not outside.sweeps:
            await asyncio.sleep(0.001)
        assert outside.probes > 0


async def test_after_an_outage_workers_get_that_time_again():
    outside = Outside()
    async with running(sweeper(outside).run):
        while not outside.sweeps:
            await asyncio.sleep(0.001)
        outside.error = StoreUnavailable("away")
        await asyncio.sleep(0.02)
        outside.error, sweeps, outside.probes = None, outside.sweeps, 0
        while outside.sweeps == sweeps:
            await asyncio.sleep(0.001)
        assert outside.probes > 0


async def test_what_a_job_needs_no_more_is_stopped_and_deleted():
    outside = Outside()
    outside.left = [KEY]
    await sweeper(outside).clean()
    assert outside.removed == [f"task {KEY}", KEY.prefix]
    assert outside.left == []


async def test_rows_stay_while_their_objects_cannot_be_deleted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CLEAN_EVERY", 1)
    outside = Outside()
    outside.left = [KEY]
    outside.store_error = ObjectStoreUnavailable("away")
    async with running(sweeper(outside).run):
        while not outside.sweeps:  # sweeps continue
            await asyncio.sleep(0.001)
        assert outside.left == [KEY]
        outside.store_error = None
        while outside.left:
            await asyncio.sleep(0.001)


async def test_objects_without_a_row_are_deleted():
    outside = Outside()
    outside.stored = ["a2b3c", "k7f2q"]
    await sweeper(outside).remove_orphans()
    assert outside.removed == ["separations/k7f2q"]
