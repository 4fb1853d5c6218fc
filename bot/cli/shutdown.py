"""Stopping in time: one budget from the signal on, shared by everything that has to end."""

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from typing import NoReturn, ParamSpec, TypeVar

log = logging.getLogger(__name__)

CLOSING_S = 2.0
"""Reserved for what is closed after the steps: a worker, connections, the database."""
LEAST_S = 0.5
"""What each step of the stop gets once the budget is spent."""

LOOKUP_THREADS = 16

P = ParamSpec("P")
T = TypeVar("T")


class StopBudget:
    """Seconds shared by everything that has to end, counted from `begin`."""

    def __init__(self, *, total_s: float) -> None:
        self._total_s = total_s
        self._ends_at: float | None = None

    def begin(self) -> None:
        """Start the count. Does nothing if it has started."""
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self._total_s

    @property
    def left_s(self) -> float:
        """What is left; the whole budget before `begin`."""
        if self._ends_at is None:
            return self._total_s
        return max(0.0, self._ends_at - time.monotonic())

    @property
    def for_steps_s(self) -> float:
        """What work under way may use, so that closing gets its share."""
        return max(self.left_s / 2, self.left_s - CLOSING_S)

    async def spend(self, ending: Awaitable[object], *, what: str) -> None:
        """Wait for `ending`, or cancel it when the budget is spent."""
        try:
            async with asyncio.timeout(max(LEAST_S, self.left_s)):
                await ending
        except TimeoutError:
            log.warning("%s did not end in time", what)


class ShutdownStack(AsyncExitStack):
    """Closes things in reverse order, each within what is left of the budget."""

    def __init__(self, budget: StopBudget) -> None:
        super().__init__()
        self._budget = budget

    def push_async_callback(
        self, callback: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Callable[P, Awaitable[T]]:
        """Call `callback` at the end, within what is left of the budget."""

        async def close() -> None:
            self._budget.begin()
            await self._budget.spend(callback(*args, **kwargs), what=callback.__qualname__)

        super().push_async_callback(close)
        return callback


class DaemonExecutor(ThreadPoolExecutor):
    """Threads that a stop does not wait for: one may be stuck in a name lookup.

    Lookups have their own threads; a dead name server would otherwise hold up work on files.
    """

    def __init__(self, *, lookup: Callable[..., object] = socket.getaddrinfo) -> None:
        super().__init__()
        self._lookup = lookup
        self._lookups = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` on a thread; the event loop's lookups come here too."""
        if fn is self._lookup:
            return self._lookups.submit(fn, *args, **kwargs)
        return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel what has not started, without waiting."""
        super().shutdown(wait=False, cancel_futures=True)
        self._lookups.shutdown(wait=False, cancel_futures=True)


def exit_now(status: int) -> NoReturn:
    """End the process now; Python would first wait for every thread."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the reader may be gone
            stream.flush()
    os._exit(status)
