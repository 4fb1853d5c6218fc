"""Finds the model that made a job's stems."""

from collections.abc import Mapping

from bot.domain.attempt import AttemptState
from bot.domain.job import Job
from bot.providers.interface import Model, Provider
from storage.stores.job_store import JobStore


class ModelLookup:
    """The models of the configured providers, by the jobs that used them."""

    def __init__(self, *, jobs: JobStore, providers: Mapping[str, Provider]) -> None:
        self._jobs = jobs
        self._providers = providers

    async def model_of(self, job: Job) -> Model | None:
        """Return the model that made the stems, or None if it is no longer configured."""
        for attempt in reversed(await self._jobs.attempts(job.repeat_of or job.id)):
            provider = self._providers.get(attempt.provider)
            if attempt.state is AttemptState.DONE and provider is not None:
                models = provider.capabilities.models
                return next((each for each in models if each.name == attempt.model), None)
        return None
