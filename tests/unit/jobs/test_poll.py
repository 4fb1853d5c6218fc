"""When a provider is asked, and what a failed attempt says about it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.domain.attempt import RemoteRef
from bot.domain.job import State, UserId
from bot.providers.interface import Failed, Running
from tests.support.fakes import FakeProvider
from tests.support.harness import Harness


class Manned(FakeProvider):
    """A provider with workers."""

    def has_worker_for(self, model: str) -> bool:
        return bool(model)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    harness = await Harness.build(
        tmp_path, Manned("workers", is_hosted=False, is_resubmittable=True)
    )
    yield harness
    await harness.close()


@pytest.mark.parametrize(
    ("failures", "outcome", "is_resting"), [(2, State.DELIVERED, False), (3, State.FAILED, True)]
)
async def test_workers_rest_only_if_songs_fail_at_their_last_start(
    harness: Harness, failures: int, outcome: State, is_resting: bool
):
    for number in range(3):
        harness.provider.on_poll = [Failed("one of the workers is broken")] * failures
        job = await harness.split(user_id=UserId(number))
        assert (await harness.until(job.id)).state is outcome
    assert (harness.services.breaker.cooldown_s("workers") > 0) is is_resting


class Telling(FakeProvider):
    """A provider that is asked once a minute, but tells when it has finished."""

    def __init__(self) -> None:
        super().__init__(is_hosted=False, is_resubmittable=True, poll_interval_s=60.0)
        self.on_poll = [Running(0.5)]

    def when_done(self, ref: RemoteRef, tell: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(0.01, tell)


async def test_a_provider_that_tells_when_it_has_finished_is_asked_at_once(tmp_path: Path):
    harness = await Harness.build(tmp_path, Telling())
    job = await harness.split()
    assert (await harness.until(job.id)).state is State.DELIVERED
    await harness.close()
