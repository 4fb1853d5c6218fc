"""Requests that the store takes too long to accept."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.domain.errors import SplitError, StoreUnavailable
from storage.database import timely_write
from storage.database.timely_write import TimelyWrites
from tests.support.fakes import FakeClock


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> TimelyWrites:
    """Writes that are always too late."""
    monkeypatch.setattr(timely_write, "STORE_WITHIN_S", 0.0)
    return TimelyWrites(clock=FakeClock())


def told(into: list[str]) -> Callable[[str], Awaitable[None]]:
    async def withdraw(stored: str) -> None:
        into.append(stored)

    return withdraw


async def test_what_is_stored_in_time_stays() -> None:
    withdrawn: list[str] = []

    async def write() -> str:
        return "job"

    writes = TimelyWrites(clock=FakeClock())
    assert await writes.store(write(), withdraw=told(withdrawn)) == "job"
    assert withdrawn == []


async def test_what_is_stored_too_late_is_withdrawn_once_it_is_there(slow: TimelyWrites) -> None:
    withdrawn: list[str] = []
    is_free = asyncio.Event()

    async def write() -> str:
        await is_free.wait()
        return "job"

    with pytest.raises(StoreUnavailable):
        await slow.store(write(), withdraw=told(withdrawn))
    assert withdrawn == []
    is_free.set()
    async with asyncio.timeout(10):
        while withdrawn != ["job"]:
            await asyncio.sleep(0)


@pytest.mark.parametrize(("error", "level"), [(SplitError("full"), "INFO"), (KeyError(1), "ERROR")])
async def test_what_is_never_stored_is_logged(
    slow: TimelyWrites, caplog: pytest.LogCaptureFixture, error: Exception, level: str
) -> None:
    caplog.set_level("INFO")
    is_free = asyncio.Event()

    async def write() -> str:
        await is_free.wait()
        raise error

    with pytest.raises(StoreUnavailable):
        await slow.store(write(), withdraw=told([]))
    is_free.set()
    async with asyncio.timeout(10):
        while not [each for each in caplog.records if "not stored" in each.message]:
            await asyncio.sleep(0)
    assert [each.levelname for each in caplog.records] == ["WARNING", level]
