"""Retries writes that must not be lost while the store is locked, full or missing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.domain.backoff import Reminders, backoff_s
from bot.domain.errors import ObjectStoreUnavailable, StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_WRITE_PAUSE_S = 0.5
MAX_WRITE_PAUSE_S = 5.0
"""Short because the result of a paid submit may be waiting to be recorded."""


async def retry_write(write: Callable[[], Awaitable[T]], *, what: str) -> T:
    """Repeat a write with growing pauses until the store accepts it, and return its result.

    `what` names the waiting write in the log, once a minute at most. Errors other than
    StoreUnavailable are raised.
    """
    tries, waited_s, reminders = 0, 0.0, Reminders()
    while True:
        tries += 1
        try:
            return await write()
        except StoreUnavailable as exc:
            if reminders.is_due(str(exc), waited_s):
                is_object_store = isinstance(exc, ObjectStoreUnavailable)
                place = "object store" if is_object_store else "database"
                log.warning("%s waits for the %s: %s", what, place, exc)
            pause_s = backoff_s(
                tries, key=what, first_s=FIRST_WRITE_PAUSE_S, max_s=MAX_WRITE_PAUSE_S
            )
            await asyncio.sleep(pause_s)
            waited_s += pause_s
