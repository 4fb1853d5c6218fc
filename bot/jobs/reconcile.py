"""Attempts that outlived their job: a kill can come between its end and the word to its provider.

Nobody waits for them any more, but a provider may still work on them, and bill for it.
"""

import asyncio
import logging

from bot.domain.attempt import Attempt
from bot.domain.errors import StoreUnavailable
from bot.jobs.submit import SubmitStep
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)

EVERY_S = 600.0


class AttemptReconciler:
    """Finds and settles what ended jobs left open."""

    def __init__(self, *, jobs: JobStore, submits: SubmitStep) -> None:
        self._jobs = jobs
        self._submits = submits

    async def run(self) -> None:
        """Look at start and now and then, for as long as the bot runs."""
        while True:
            try:
                await self.reconcile()
            except StoreUnavailable as exc:
                log.warning("what ended jobs left open must wait: %s", exc)
            await asyncio.sleep(EVERY_S)

    async def reconcile(self) -> None:
        """Settle every attempt of a job that ended without a result. Safe to repeat."""
        for attempt in await self._jobs.left_open():
            # A provider that breaks when it is told must not keep the bot from its start.
            settling = asyncio.gather(self._submits.abandon(attempt), return_exceptions=True)
            self._note(attempt, *(await settling))

    def _note(self, attempt: Attempt, failure: BaseException | None) -> None:
        if failure is None:
            log.info("%s: its attempt at %s is settled", attempt.job_id, attempt.provider)
        else:
            log.error("%s: its attempt stays open", attempt.job_id, exc_info=failure)
