"""Retry a write until the store accepts it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.domain.backoff import backoff_s
from bot.domain.errors import StoreUnavailable

log = logging.getLogger(__name__)

FIRST_WRITE_PAUSE_S = 0.5
MAX_WRITE_PAUSE_S = 5.0
"""A user may be waiting for this write."""


async def retry_write(write: Callable[[], Awaitable[None]], *, what: str) -> None:
    """Repeat `write` while the store is unavailable; every other error is raised.

    `what` names the write in the log.
    """
    tries = 0
    while True:
        tries += 1
        try:
            return await write()
        except StoreUnavailable as exc:
            log.warning("%s waits for the store: %s", what, exc)
            pause_s = backoff_s(
                tries, key=what, first_s=FIRST_WRITE_PAUSE_S, max_s=MAX_WRITE_PAUSE_S
            )
            await asyncio.sleep(pause_s)
