"""Writes that wait for the store."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.domain.backoff import JITTER
from bot.domain.errors import ObjectStoreUnavailable, StateMoved, StoreUnavailable
from storage.database.write_retry import MAX_WRITE_PAUSE_S, retry_write


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    return slept


def failing(times: int, error: Exception) -> Callable[[], Awaitable[str]]:
    errors = [error] * times

    async def write() -> str:
        if errors:
            raise errors.pop()
        return "written"

    return write


async def test_write_is_repeated_until_the_store_accepts_it(
    pauses: list[float], caplog: pytest.LogCaptureFixture
):
    write = failing(6, StoreUnavailable("database is locked"))

    assert await retry_write(write, what="k7f2q") == "written"
    assert pauses[0] < 1
    assert pauses[3] > 4 * pauses[0]
    assert max(pauses) <= MAX_WRITE_PAUSE_S * (1 + JITTER)
    assert "k7f2q waits for the database: database is locked" in caplog.text


async def test_the_log_says_when_it_is_the_object_store_that_is_away(
    pauses: list[float], caplog: pytest.LogCaptureFixture
):
    await retry_write(failing(1, ObjectStoreUnavailable("it is away")), what="k7f2q")
    assert "k7f2q waits for the object store: it is away" in caplog.text


async def test_a_write_that_waits_is_logged_once_a_minute(
    pauses: list[float], caplog: pytest.LogCaptureFixture
):
    await retry_write(failing(40, StoreUnavailable("database is locked")), what="k7f2q")

    minutes = sum(pauses) / 60
    assert 2 < minutes < 4
    assert 2 <= len(caplog.records) <= minutes + 1


async def test_other_errors_are_raised_at_once(pauses: list[float]):
    with pytest.raises(StateMoved):
        await retry_write(failing(1, StateMoved("gone")), what="k7f2q")

    assert pauses == []
