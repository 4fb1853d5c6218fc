"""Runs transactions to their end, even if their callers are cancelled."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from bot.domain.errors import StateMoved

log = logging.getLogger(__name__)

T = TypeVar("T")


class Transactions:
    """The transactions under way on a database."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, transaction: Coroutine[Any, Any, T]) -> T:
        """Return the transaction's result, or raise its error.

        If the caller is cancelled, the transaction continues and its error is logged.
        """
        task = asyncio.create_task(transaction)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            # Awaiting the task itself would cancel it along with the caller; wait() does not.
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise
        return task.result()

    async def wait(self) -> None:
        """Wait until no transaction is running."""
        if self._running:
            await asyncio.wait(self._running)


def _log_failure(task: "asyncio.Task[Any]") -> None:
    if task.cancelled() or (exc := task.exception()) is None:
        return
    if isinstance(exc, StateMoved):
        # The change that cancelled the caller was saved first, as when a user cancels a job.
        log.debug("a transaction came too late, and its caller was cancelled: %s", exc)
    else:
        log.error("a transaction failed after its caller was cancelled", exc_info=exc)
