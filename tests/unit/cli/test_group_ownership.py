"""A former owner whose event loop is blocked exits; one that was only frozen continues."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from bot.cli.group_ownership import DEAF_TICKS, EXIT_DEAF, LoopWatchdog, Ownership
from storage.database.protocols import TakenOver

TICK_S = 0.02


@contextmanager
def watching(*, is_owner: bool) -> Iterator[tuple[LoopWatchdog, list[int]]]:
    ends: list[int] = []
    watchdog = LoopWatchdog(is_owner=lambda: is_owner, end=ends.append, tick_s=TICK_S)
    watchdog.start()
    try:
        yield watchdog, ends
    finally:
        watchdog.stop()
        watchdog.join()


def test_a_blocked_loop_ends_the_process_once_it_may_not_act() -> None:
    with watching(is_owner=False) as (_, ends):
        time.sleep(TICK_S * DEAF_TICKS * 3)
    assert EXIT_DEAF in ends


def test_a_blocked_loop_of_an_owner_is_left_alone() -> None:
    with watching(is_owner=True) as (_, ends):
        time.sleep(TICK_S * DEAF_TICKS * 3)
    assert ends == []


def test_a_loop_that_gives_signs_is_left_alone() -> None:
    with watching(is_owner=False) as (watchdog, ends):
        until = time.monotonic() + TICK_S * DEAF_TICKS * 3
        while time.monotonic() < until:
            watchdog.signs += 1
            time.sleep(TICK_S / 4)
    assert ends == []
    assert not any(thread.name == "watchdog" for thread in threading.enumerate())


class Lock:
    """A lock that another process may take."""

    def __init__(self) -> None:
        self.is_taken = asyncio.Event()

    async def watch(self) -> NoReturn:
        await self.is_taken.wait()
        raise TakenOver("Another process is the bot.")

    async def close(self) -> None:
        return None


class Work:
    """Work that never ends on its own."""

    is_running = False

    async def run(self) -> None:
        self.is_running = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_running = False


@pytest.fixture
async def ownership() -> AsyncIterator[Ownership]:
    owned = Ownership(Lock())  # type: ignore[arg-type] # matches by shape
    yield owned
    await owned.close()


async def started(ownership: Ownership, work: Work) -> asyncio.Task[None]:
    task = asyncio.create_task(ownership.unless_lost(work.run()))
    while not work.is_running:
        await asyncio.sleep(0)
    return task


async def test_work_of_an_owner_ends_when_another_process_takes_over(ownership: Ownership) -> None:
    work = Work()
    task = await started(ownership, work)
    assert isinstance(ownership.lock, Lock)
    ownership.lock.is_taken.set()
    with pytest.raises(TakenOver):
        await task
    assert not work.is_running


async def test_work_of_an_owner_ends_with_the_task_that_waits_for_it(ownership: Ownership) -> None:
    work = Work()
    task = await started(ownership, work)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.is_running


async def test_an_unexpected_error_of_the_lock_does_not_end_the_ownership(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.concurrency.backoff_s", lambda *_, **__: 0.0)
    errors: list[Exception] = [ValueError("choir"), TakenOver("Another process is the bot.")]

    class Failing(Lock):
        async def watch(self) -> NoReturn:
            raise errors.pop(0)

    owned = Ownership(Failing())  # type: ignore[arg-type] # matches by shape
    with pytest.raises(TakenOver):
        await owned.lost
    assert "the lock of the database failed" in caplog.text
