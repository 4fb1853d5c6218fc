"""The first job of a bot's own queue asks for a place that all bots share."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from bot.domain.job import JobId
from bot.scheduling.provider_queue import ProviderQueue
from bot.scheduling.shared_places import SharedPlaces
from storage.groups.shard_group import ShardGroup
from storage.groups.vendor_places import Place
from tests.unit.scheduling.test_provider_queue import a_job

GROUP = ShardGroup(0, 0, 2)
VENDOR, HERE = "finevoice", "local"


class FakePlaces:
    """The places of all bots, with some of them taken by others."""

    def __init__(self) -> None:
        self.has_room = True
        self.asked: list[str] = []
        self.left: list[tuple[str, JobId]] = []
        self.withdrawn: list[str] = []
        self.behind: list[tuple[str, JobId]] = []
        self.restored: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def ask(self, provider: str, *, capacity: int) -> bool:
        assert capacity == 2
        self.asked.append(provider)
        return self.has_room

    async def leave(self, provider: str, job_id: JobId) -> None:
        await self.gate.wait()
        self.left.append((provider, job_id))

    async def withdraw(self, provider: str) -> None:
        self.withdrawn.append(provider)

    async def restore(self, providers: object, *, since: datetime) -> None:
        self.restored = sorted(providers)  # type: ignore[call-overload] # names

    async def left_behind(self, occupied: object) -> list[tuple[str, JobId]]:
        return self.behind


class Line:
    """A bot's queue and its shared places."""

    def __init__(self) -> None:
        self.turns: list[JobId] = []
        self.store = FakePlaces()
        self.queue = ProviderQueue(
            places={VENDOR: 2, HERE: 1}, on_turn=self.turns.append, on_shift=lambda *_: None
        )
        self.places = SharedPlaces(
            store=self.store,  # type: ignore[arg-type] # matches by shape
            queue=self.queue,
            shards=GROUP,
            capacity={VENDOR: 2},
        )


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    built = Line()
    yield built
    built.store.gate.set()
    await built.places.settle()


async def test_only_shared_providers_have_places_for_all(line: Line) -> None:
    assert line.places.place_at(HERE) is None
    assert line.places.place_at(VENDOR) == Place(provider=VENDOR, capacity=2, group=GROUP)


async def test_a_job_that_leaves_frees_its_place_for_all(line: Line) -> None:
    for provider, name in ((VENDOR, "a"), (HERE, "b")):
        line.queue.acquire(provider, a_job(name, 1, 0))
        line.queue.release(JobId(name))
    await line.places.settle()
    assert line.store.left == [(VENDOR, "a")]


async def test_an_attempt_that_outlives_its_job_keeps_its_place(line: Line) -> None:
    job = a_job("a", 1, 0)
    line.queue.acquire(VENDOR, job)
    line.queue.outlive(VENDOR, job)
    line.queue.release(job.id)
    await line.places.settle()
    assert line.store.left == []
    line.queue.free(VENDOR, job.id)
    await line.places.settle()
    assert line.store.left == [(VENDOR, "a")]


async def test_a_job_asks_again_only_after_its_former_place_is_free(line: Line) -> None:
    job = a_job("a", 1, 0)
    line.queue.acquire(VENDOR, job)
    line.store.gate.clear()
    line.queue.enqueue(VENDOR, job)
    asking = asyncio.create_task(line.places.may_enter(VENDOR, job.id))
    await asyncio.sleep(0.01)
    assert line.store.asked == []
    line.store.gate.set()
    assert await asking
    assert line.store.left == [(VENDOR, "a")]


async def test_an_offered_place_calls_the_first_job_alone(line: Line) -> None:
    for number, name in enumerate(("a", "b")):
        line.queue.enqueue(VENDOR, a_job(name, number, number))
    line.turns.clear()
    line.places.offered(VENDOR)
    assert line.turns == ["a"]
    assert line.store.withdrawn == []


async def test_a_place_that_no_job_wants_is_passed_on(line: Line) -> None:
    line.places.offered(VENDOR)
    line.places.offered("attic")  # another bot's provider
    await line.places.settle()
    assert line.store.withdrawn == [VENDOR]


async def test_forgotten_places_are_freed(line: Line) -> None:
    line.store.behind = [(VENDOR, JobId("a"))]
    await line.places.sweep()
    await line.places.settle()
    assert line.store.left == [(VENDOR, "a")]


async def test_places_are_restored_for_shared_providers(line: Line) -> None:
    await line.places.restore(since=datetime(2026, 11, 20, tzinfo=UTC))
    assert line.store.restored == [VENDOR]
