"""Telling a provider that its work on an attempt is wanted no more."""

import logging
from collections.abc import Mapping

from bot.domain.attempt import Attempt
from bot.domain.errors import ProviderError
from bot.providers.interface import Provider

log = logging.getLogger(__name__)


async def call_off(attempt: Attempt, providers: Mapping[str, Provider]) -> None:
    """Tell the provider, where it can be told; it is told once, whether it takes note or not."""
    provider = providers.get(attempt.provider)
    if provider is None or not provider.capabilities.can_cancel or attempt.ref is None:
        return
    try:
        await provider.cancel(attempt.ref)
    except ProviderError as exc:
        log.warning("%s: %s was not told: %s", attempt.job_id, attempt.provider, type(exc).__name__)
