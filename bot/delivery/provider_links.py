"""Links to a job's stems at its provider, used for stems that are too large to attach."""

from collections.abc import Mapping
from datetime import timedelta

from bot.delivery.port import DeliveryLink
from bot.delivery.provider_link_expiry import ends_at
from bot.domain.attempt import Attempt, AttemptState, RemoteFile
from bot.domain.clock import Clock
from bot.domain.job import Job
from bot.domain.recipes import Stem
from bot.net.addresses import is_showable
from bot.providers.interface import Capabilities, Provider
from bot.scheduling.plans import Sum, derivations
from storage.stores.job_store import JobStore

MARGIN = timedelta(hours=1)
"""Links that expire sooner than this are not shown, because users may come back late."""
LONGEST_URL = 512
"""Longer links are not shown. Six links of this length, with their labels, fit a card."""


class ProviderLinks:
    """Finds the addresses of stems that a provider holds unchanged."""

    def __init__(self, *, jobs: JobStore, providers: Mapping[str, Provider], clock: Clock) -> None:
        self._jobs = jobs
        self._providers = providers
        self._clock = clock

    async def of(self, job: Job) -> dict[Stem, DeliveryLink]:
        """Return links to the outputs that are identical to one of the provider's stems."""
        for attempt in reversed(await self._jobs.attempts(job.id)):
            provider = self._providers.get(attempt.provider)
            if attempt.state is AttemptState.DONE and provider is not None:
                return self._whole(job, attempt, provider.capabilities)
        return {}

    def _whole(
        self, job: Job, attempt: Attempt, capabilities: Capabilities
    ) -> dict[Stem, DeliveryLink]:
        model = next((each for each in capabilities.models if each.name == attempt.model), None)
        if model is None or not capabilities.is_hosted:
            return {}
        files = {file.stem: file for file in attempt.files if file.stem is not None}
        made = derivations(job.request.recipe, model, frozenset(files)) or {}
        return {
            stem: link
            for stem, derivation in made.items()
            if derivation == Sum(frozenset({stem})) and (link := self._link(stem, files[stem]))
        }

    def _link(self, stem: Stem, file: RemoteFile) -> DeliveryLink | None:
        url, ends = file.address, ends_at(file.address)
        if len(url) > LONGEST_URL or not is_showable(url):
            return None
        if ends is not None and ends - self._clock.now() < MARGIN:
            return None
        return DeliveryLink(stem=stem, url=url, audio_format=None, expires_at=ends)
