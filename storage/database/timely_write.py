"""Gives up requests that the store takes too long to accept, and withdraws them afterwards."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from bot.domain.backoff import Reminders
from bot.domain.clock import Clock
from bot.domain.errors import SplitError, StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

STORE_WITHIN_S: Final = 1.5
"""Discord allows 3 s for an answer, so a store that takes longer than this counts as busy."""


class TimelyWrites:
    """Stores requests whose users wait for an answer."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._withdrawing: set[asyncio.Task[None]] = set()
        self._reminders = Reminders()

    async def store(
        self, write: Coroutine[Any, Any, T], *, withdraw: Callable[[T], Awaitable[None]]
    ) -> T:
        """Return the result of the write.

        Raises StoreUnavailable if the write takes too long. It is then withdrawn in the background
        as soon as it ends.
        """
        storing = asyncio.create_task(write)
        done, _ = await asyncio.wait({storing}, timeout=STORE_WITHIN_S)
        if done:
            return storing.result()
        withdrawing = asyncio.create_task(_withdraw_late(storing, withdraw))
        self._withdrawing.add(withdrawing)
        withdrawing.add_done_callback(self._withdrawing.discard)
        if self._reminders.is_due("late", self._clock.monotonic()):
            log.warning("requests are refused as busy: the store takes over %.1f s", STORE_WITHIN_S)
        raise StoreUnavailable("a request was not stored in time")


async def _withdraw_late(
    storing: asyncio.Task[T], withdraw: Callable[[T], Awaitable[None]]
) -> None:
    try:
        await withdraw(await storing)
    except SplitError as exc:
        log.info("a late request was not stored, or waits for the next start: %s", exc)
    except Exception:
        log.exception("a late request was not stored")
