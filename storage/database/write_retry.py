"""Writing what must not be lost, for as long as the store is unavailable."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.domain.errors import StoreUnavailable

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 0.5


async def retry_write(write: Callable[[], Awaitable[None]], *, what: str) -> None:
    """Write until the store takes it; `what` says in the log what waits. Raises all else."""
    while True:
        try:
            return await write()
        except StoreUnavailable as exc:
            log.warning("%s waits for the store: %s", what, exc)
            await asyncio.sleep(AGAIN_AFTER_S)
