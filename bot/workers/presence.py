"""Tells the bots that a worker is alive, and what it can do."""

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from bot.domain.backoff import Reminders
from bot.domain.errors import StoreUnavailable
from bot.providers.interface import Model, Provider
from bot.providers.self_hosted.declared_models import encode_models
from bot.providers.self_hosted.engine_provider import EngineProvider
from storage.database.write_retry import retry_write
from storage.work_queue.living_workers import SEEN_EVERY_S, LivingWorkers, WorkerRow

log = logging.getLogger(__name__)

_STALE_AFTER_S: Final = 3 * SEEN_EVERY_S


def describe(providers: Sequence[Provider], *, version: str, audio_slots: int = 0) -> WorkerRow:
    """Return the row of a worker with these providers, under a new id."""
    declared = [each.capabilities for each in providers]
    return WorkerRow(
        id=secrets.token_hex(6),
        name=socket.gethostname(),
        version=version,
        models=encode_models(model for each in declared for model in each.models),
        slots=slots_of(providers),
        audio_slots=audio_slots,
        device=", ".join(sorted({_device_of(each) for each in providers})) or "cpu",
    )


def slots_of(providers: Sequence[Provider]) -> int:
    """Return how many songs the providers separate at a time.

    They share a machine, so a second provider adds models but no capacity.
    """
    return max((each.capabilities.concurrency for each in providers), default=0)


def _device_of(provider: Provider) -> str:
    declared = provider.declared if isinstance(provider, EngineProvider) else None
    return "cpu" if declared is None else declared.device_name


def _in_words(troubles: Mapping[str, str]) -> str | None:
    """Return the troubles as text, like `scnet, spleeter: the engine is paused`."""
    names: dict[str, list[str]] = {}
    for name, trouble in troubles.items():
        names.setdefault(trouble, []).append(name)
    return "; ".join(f"{', '.join(each)}: {why}" for why, each in names.items()) or None


class Presence:
    """Keeps a worker's row up to date."""

    def __init__(self, *, workers: LivingWorkers, worker: WorkerRow) -> None:
        self._workers = workers
        self._worker = worker
        self._slots = worker.slots
        self._reminders = Reminders()
        self._written_at = -_STALE_AFTER_S

    @property
    def is_recorded(self) -> bool:
        """Whether the database has recently accepted the row."""
        return time.monotonic() - self._written_at < _STALE_AFTER_S

    async def arrive(self) -> None:
        """Write the row, waiting for the database."""
        await retry_write(lambda: self._workers.arrive(self._worker), what="the worker")
        self._written_at = time.monotonic()

    async def offer(self, models: Sequence[Model], *, troubles: Mapping[str, str]) -> None:
        """Say which of these models can be used now, waiting for the database.

        `troubles` are the names of the others, with the reasons. They stay declared, so that their
        songs wait.
        """
        self._worker = replace(
            self._worker,
            models=encode_models(models, withdrawn=troubles),
            slots=self._slots if len(troubles) < len(models) else 0,
            trouble=_in_words(troubles),
        )
        await retry_write(lambda: self._workers.seen(self._worker), what="the worker")
        self._written_at = time.monotonic()

    async def keep(self) -> None:
        """Renew the row until cancelled."""
        while True:
            await asyncio.sleep(SEEN_EVERY_S)
            await self._renew()

    async def leave(self) -> None:
        """Say that this worker takes no more songs."""
        self._slots = 0
        self._worker = replace(self._worker, slots=0, audio_slots=0)
        await self._renew()

    async def _renew(self) -> None:
        try:
            await self._workers.seen(self._worker)
        except StoreUnavailable as exc:
            if self._reminders.is_due(str(exc), time.monotonic()):
                log.warning("the bots cannot be told that this worker is alive: %s", exc)
        else:
            self._written_at = time.monotonic()
