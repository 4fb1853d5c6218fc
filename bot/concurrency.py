"""Helpers for asyncio: run awaitables together, and restart background tasks."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, NoReturn, TypeVar

from bot.domain.backoff import backoff_s

log = logging.getLogger(__name__)

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

ITEMS_AT_A_TIME = 50
WELL_AFTER_S = 60.0
"""A task that ran this long counts as healthy, so the pauses start over."""
CANCEL_AGAIN_S = 10.0
"""Longer than a task takes to end in an orderly way, which a second cancellation would disturb."""


async def gather_or_raise(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run awaitables concurrently and return their results in order.

    If one fails, cancel the others, wait for them and raise its error. A TaskGroup would wrap it in
    an ExceptionGroup, which `except` clauses for specific types do not match. Before Python 3.13,
    it would also leave this task marked as being cancelled, so that aiohttp would end it when a
    connection breaks.
    """
    tasks = [asyncio.create_task(each) for each in work]
    if not tasks:
        return []
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task in done and not task.cancelled() and (error := task.exception()):
                raise error
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def both(one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Run two awaitables of different types, as `gather_or_raise` does."""
    work: list[Coroutine[Any, Any, Any]] = [one, other]
    first, second = await gather_or_raise(work)
    return first, second


async def end_tasks(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait until they have ended, whatever their outcomes.

    A library may swallow a cancellation that comes just as its own work ends. A task that goes on
    is therefore cancelled again.
    """
    while running := [each for each in tasks if not each.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # or asyncio would log their errors


async def with_pauses(
    items: Iterable[T], *, at_a_time: int = ITEMS_AT_A_TIME, pause_s: float = 0
) -> AsyncIterator[T]:
    """Yield the items that exist now, letting other tasks run after every few of them."""
    for number, item in enumerate(tuple(items), start=1):
        yield item
        if number % at_a_time == 0:
            await asyncio.sleep(pause_s)


async def supervised(
    work: Callable[[], Awaitable[None]], *, name: str, ends_with: tuple[type[Exception], ...] = ()
) -> NoReturn:
    """Run a background task until cancelled, restarting it whenever it fails or ends.

    Each failure is logged with its traceback, and the pauses between restarts grow. Errors in
    `ends_with` are raised instead.
    """
    failures = 0
    while True:
        started = time.monotonic()
        try:
            await work()
            log.error("%s ended unexpectedly", name)
        except ends_with:
            raise
        except Exception:
            log.exception("%s failed", name)
        failures = 1 if time.monotonic() - started > WELL_AFTER_S else failures + 1
        await asyncio.sleep(backoff_s(failures, key=name))
