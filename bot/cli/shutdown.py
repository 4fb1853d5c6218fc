"""Stops the bot in time: everything that has to end shares one budget, counted from the signal."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from typing import Final, NoReturn, ParamSpec, TypeVar

log = logging.getLogger(__name__)

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that stop a process. SIGHUP, from a closed terminal, must not lose a submit in flight."""
CLOSING_S = 2.0
"""Seconds reserved for closing a worker, connections and the database after the steps."""
LEAST_S = 0.5
"""The seconds that each part of the stop gets even if the budget is spent."""

LOOKUP_THREADS = 16

P = ParamSpec("P")
T = TypeVar("T")


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` when the process is told to stop, and let no thread delay its end."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonExecutor())
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)


class StopBudget:
    """A budget of seconds that is shared by everything that has to end."""

    def __init__(self, *, total_s: float) -> None:
        self._total_s = total_s
        self._ends_at: float | None = None

    def begin(self, *, within_s: float | None = None) -> None:
        """Start the countdown, of `within_s` at most; does nothing if it has started."""
        if self._ends_at is None:
            total_s = self._total_s if within_s is None else min(self._total_s, within_s)
            self._ends_at = time.monotonic() + total_s

    @property
    def left_s(self) -> float:
        """The seconds left; the whole budget before `begin`."""
        if self._ends_at is None:
            return self._total_s
        return max(0.0, self._ends_at - time.monotonic())

    @property
    def for_steps_s(self) -> float:
        """The seconds for work under way; the rest is reserved for closing."""
        return max(self.left_s / 2, self.left_s - CLOSING_S)

    async def spend(self, ending: Awaitable[object], *, what: str) -> None:
        """Wait for `ending`, but cancel it and log its name when the budget is spent."""
        try:
            async with asyncio.timeout(max(LEAST_S, self.left_s)):
                await ending
        except TimeoutError:
            log.warning("%s did not end in time", what)


class ShutdownStack(AsyncExitStack):
    """Calls callbacks in reverse order, each within what is left of the budget."""

    def __init__(self, budget: StopBudget) -> None:
        super().__init__()
        self._budget = budget

    def push_async_callback(
        self, callback: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Callable[P, Awaitable[T]]:
        """Register a callback for the end of the block."""

        async def close() -> None:
            self._budget.begin()
            await self._budget.spend(callback(*args, **kwargs), what=callback.__qualname__)

        super().push_async_callback(close)
        return callback


class DaemonExecutor(ThreadPoolExecutor):
    """Runs functions on daemon threads, for which a stop does not wait.

    Name lookups have separate threads, so a hanging lookup does not delay work on files.
    """

    def __init__(self, *, lookup: Callable[..., object] = socket.getaddrinfo) -> None:
        super().__init__()
        self._lookup = lookup
        self._lookups = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` on a thread; the event loop calls this for name lookups."""
        if fn is self._lookup:
            return self._lookups.submit(fn, *args, **kwargs)
        return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel what has not started; never waits."""
        super().shutdown(wait=False, cancel_futures=True)
        self._lookups.shutdown(wait=False, cancel_futures=True)


def exit_now(status: int) -> NoReturn:
    """End the process at once; a normal exit would wait for every thread."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # standard output may be closed
            stream.flush()
    os._exit(status)
