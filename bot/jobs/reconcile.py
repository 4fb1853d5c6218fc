"""Settle attempts that outlive their job, so that no provider works, or bills, for nothing.

A cancel, a failure or a kill can end a job while an attempt of it is open.
"""

import asyncio
import logging

from bot.domain.attempt import Attempt, AttemptError, AttemptState
from bot.domain.errors import ProviderError, StoreUnavailable
from bot.jobs.runtime import Core
from storage.database.write_retry import retry_write

log = logging.getLogger(__name__)

RECONCILE_EVERY_S = 600.0


class AttemptReconciler:
    """Ends attempts: tells their provider, and records what they may have cost."""

    def __init__(self, *, core: Core) -> None:
        self._core = core
        self._jobs = core.jobs

    async def run(self) -> None:
        """Reconcile at start and every ten minutes, until cancelled."""
        while True:
            try:
                await self.reconcile()
            except StoreUnavailable as exc:
                log.warning("open attempts of ended jobs wait for the store: %s", exc)
            await asyncio.sleep(RECONCILE_EVERY_S)

    async def reconcile(self) -> None:
        """Settle every open attempt of a job that ended without a result. Safe to repeat."""
        for attempt in await self._jobs.left_open():
            # An adapter that breaks here must not keep the bot from starting.
            settling = asyncio.gather(self.abandon(attempt), return_exceptions=True)
            _log_settled(attempt, *(await settling))

    async def abandon(self, attempt: Attempt) -> None:
        """End an attempt whose job ended; what it may have cost stays on record.

        The provider is told before that is recorded: a kill in between tells it once more. An
        attempt whose submit is in flight is left alone; its answer is abandoned when it arrives.
        """
        if attempt.state is AttemptState.SENDING:
            if not self._core.runtimes.is_sending(attempt.job_id):
                await self.settle(attempt)
        elif attempt.state in (AttemptState.ACCEPTED, AttemptState.DONE):
            await self.cancel_remote(attempt)
            await self.record(attempt.ended(self._core.clock.now(), AttemptState.ABANDONED))

    async def settle(self, attempt: Attempt) -> Attempt:
        """Return the attempt, ended if a process died while sending it.

        The provider may have got it, so only one that costs nothing counts as failed.
        """
        if attempt.state is not AttemptState.SENDING:
            return attempt
        provider = self._core.providers.get(attempt.provider)
        is_harmless = provider is not None and provider.capabilities.is_resubmittable
        state = AttemptState.FAILED if is_harmless else AttemptState.UNCERTAIN
        settled = attempt.ended(self._core.clock.now(), state, AttemptError.INTERRUPTED)
        await self._jobs.record(settled)
        return settled

    async def cancel_remote(self, attempt: Attempt) -> None:
        """Ask the provider once to stop working, if it can be asked; a refusal is only logged."""
        provider = self._core.providers.get(attempt.provider)
        if provider is None or not provider.capabilities.can_cancel or attempt.ref is None:
            return
        try:
            await provider.cancel(attempt.ref)
        except ProviderError as exc:
            error = type(exc).__name__
            log.warning("%s: %s did not cancel it: %s", attempt.job_id, attempt.provider, error)

    async def record(self, attempt: Attempt) -> None:
        """Write what became of an attempt, however long the store is unavailable."""
        await retry_write(
            lambda: self._jobs.record(attempt), what=f"the answer for {attempt.job_id}"
        )


def _log_settled(attempt: Attempt, failure: BaseException | None) -> None:
    if failure is None:
        log.info("%s: its attempt at %s is settled", attempt.job_id, attempt.provider)
    else:
        log.error("%s: its attempt stays open", attempt.job_id, exc_info=failure)
