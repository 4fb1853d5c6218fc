"""Workers on other machines as a provider: work is a row, songs and stems are objects.

References outlive a restart of the bot and the deaths of workers. The workers that are alive
determine which models are offered, and how many songs are accepted at a time.
"""

import asyncio
import logging
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from bot.audio.spool import FRAME_BYTES
from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.backoff import Reminders
from bot.domain.errors import (
    ObjectMissing,
    ObjectStoreUnavailable,
    ProviderDown,
    ProviderProtocol,
    ProviderRefused,
    StoreUnavailable,
)
from bot.providers.interface import (
    Accepted,
    Call,
    Capabilities,
    Failed,
    Finished,
    Lost,
    Model,
    Running,
    Source,
)
from bot.providers.self_hosted.declared_models import (
    decode_models,
    encode_models,
    usable_models,
)
from storage.objects.object_store import ObjectStore
from storage.work_queue.living_workers import LivingWorkers, WorkerRow
from storage.work_queue.separations import (
    Order,
    Separation,
    SeparationError,
    SeparationKey,
    Separations,
    SeparationState,
    TooManyStarts,
)

log = logging.getLogger(__name__)

NAME: Final = "workers"
LOOK_EVERY_S: Final = 2.0
AHEAD: Final = 0.5
"""The songs that wait in the workers' queue, as a share of those that workers separate at the same
time. A worker that has finished finds its next song there while the bot still fetches the
previous song's stems."""


class PlaceListener(Protocol):
    """Is notified of the number of songs that there is room for."""

    def __call__(self, places: int, *, highest_turn: int) -> None:
        """Handle the number of places, and the highest turn of the songs in them."""


class Workers:
    """Separates songs on the workers of a PostgreSQL database."""

    def __init__(
        self,
        *,
        separations: Separations,
        living: LivingWorkers,
        objects: ObjectStore,
        expected: Sequence[Model],
        title: str = "Stemcord",
    ) -> None:
        """Offer the `expected` models until a worker has been seen."""
        self._separations = separations
        self._living = living
        self._objects = objects
        self._expected = tuple(expected)
        self._reminders = Reminders()
        self._reachable: frozenset[str] = frozenset()
        self._slots = 0
        self._capabilities = Capabilities(
            name=NAME,
            title=title,
            models=self._expected,
            is_hosted=False,
            is_resubmittable=True,
            can_cancel=True,
            concurrency=1,
            poll_interval_s=0.5,
            gives_spools=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of recently seen workers, with those of living ones first."""
        return self._capabilities

    def has_worker_for(self, model: str) -> bool:
        """Whether a worker with this model is running."""
        return model in self._reachable

    async def watch(self, on_places: PlaceListener) -> None:
        """Follow which workers there are and how many songs they take, until cancelled."""
        while True:
            try:
                await self.look()
                on_places(
                    places_for(self._slots), highest_turn=await self._separations.highest_turn()
                )
            except StoreUnavailable as exc:
                if self._reminders.is_due(str(exc), time.monotonic()):
                    log.warning("the workers cannot be read: %s", exc)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Read once which workers there are. Raises StoreUnavailable."""
        known = await self._living.known()
        serving = [worker for worker in known if worker.is_living and worker.slots]
        reachable = [model.name for model in usable_by(serving)]
        # A recipe is served by the first model that can make it, so living workers' come first.
        models = sorted(offered_by(known), key=lambda model: model.name not in reachable)
        self._slots = sum(worker.slots for worker in serving)
        self._reachable = frozenset(reachable)
        self._capabilities = replace(
            self._capabilities,
            models=tuple(models) or self._expected,
            concurrency=max(1, self._slots),
        )

    async def submit(self, call: Call, source: Source) -> Accepted:
        """Put the song into the object store and the work into the queue.

        Raises ProviderRefused if the job was started too often.
        """
        key = SeparationKey(job_id=call.job_id, number=call.attempt)
        order = Order(
            key=key,
            model=call.model.name,
            stems=call.model.stems,
            frames=source.frames,
            turn=call.turn,
            declared=encode_models([call.model]),
        )
        try:
            await self._objects.put(source.mixture, key.song)
            await self._separations.submit(order)
        except StoreUnavailable as exc:
            raise ProviderDown(str(exc)) from exc
        except TooManyStarts:
            raise ProviderRefused("it was started on workers too often") from None
        return Accepted(RemoteRef(str(key)))

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        """Read the row."""
        key = SeparationKey.parse(ref)
        try:
            found = None if key is None else await self._separations.get(key)
        except StoreUnavailable as exc:
            raise ProviderDown(str(exc)) from exc
        except ValueError as exc:
            log.warning("%s: a worker of another version wrote its row: %s", ref, exc)
            return Failed(SeparationError.FAILED)
        if found is None:
            return Lost()
        match found.state:
            case SeparationState.WAITING:
                return Running()
            case SeparationState.RUNNING:
                return Running(found.fraction)
            case SeparationState.DONE:
                return _finished(found)
            case SeparationState.FAILED:
                error = found.error or SeparationError.FAILED
                return Failed(error, is_starved=error is SeparationError.STARVED)
            case SeparationState.CANCELLED:
                return Lost()

    async def model_of(self, ref: RemoteRef) -> Model | None:
        """Return the model as it was declared at the submit. Raises StoreUnavailable."""
        key = SeparationKey.parse(ref)
        declared = "[]" if key is None else await self._separations.declared(key)
        return next(iter(decode_models(declared)), None)

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        """Get a separated spool, if it is as long as the song; safe to repeat."""
        try:
            await self._require_length(file.address)
            await self._objects.get(file.address, into)
        except ObjectMissing as exc:
            raise ProviderProtocol("a separated stem is gone") from exc
        except StoreUnavailable as exc:
            raise ProviderDown(str(exc)) from exc

    async def cancel(self, ref: RemoteRef) -> None:
        """Stop a separation at any point, and delete its objects if the store is available."""
        key = SeparationKey.parse(ref)
        if key is None:
            return
        try:
            await self._separations.cancel(key)
        except StoreUnavailable as exc:
            raise ProviderDown(str(exc)) from exc
        with suppress(ObjectStoreUnavailable):  # the sweeper does it later
            await self._objects.remove_under(key.prefix)

    async def _require_length(self, address: str) -> None:
        """Raise ProviderProtocol for a stem of another length, which would be mixed anyway.

        The worker is not trusted, because it may be of another version.
        """
        key = SeparationKey.of_result(address)
        found = None if key is None else await self._separations.get(key)
        size_bytes = await self._objects.size(address)
        if found is None or size_bytes is None:
            raise ObjectMissing(address)
        if size_bytes != found.frames * FRAME_BYTES:
            raise ProviderProtocol(f"a stem has {size_bytes} bytes for {found.frames} frames")

    async def aclose(self) -> None:
        """Do nothing: the database and the store are closed by their owner."""


def _finished(found: Separation) -> Finished | Failed:
    """Return the stems, unless a worker names other objects, such as those of another job."""
    if any(SeparationKey.of_result(each) != found.key for each in found.files.values()):
        log.error("%s: its worker names objects that are not its results", found.key)
        return Failed(SeparationError.FAILED)
    return Finished(tuple(RemoteFile(address, stem) for stem, address in found.files.items()))


def places_for(slots: int) -> int:
    """Return how many songs the queue accepts if workers separate `slots` at a time."""
    return slots + math.ceil(slots * AHEAD)


def offered_by(workers: Iterable[WorkerRow]) -> Sequence[Model]:
    """Return the models of these workers, without duplicates and in a stable order.

    Models of basic quality come last, so that they serve only what no other model can make.
    """
    return _each_once(map(decode_models, sorted({worker.models for worker in workers})))


def usable_by(workers: Iterable[WorkerRow]) -> Sequence[Model]:
    """Return those of their models that can be used now, in the same order."""
    return _each_once(map(usable_models, sorted({worker.models for worker in workers})))


def _each_once(declared: Iterable[Iterable[Model]]) -> Sequence[Model]:
    found: dict[str, Model] = {}
    for models in declared:
        for model in models:
            found.setdefault(model.name, model)
    return sorted(found.values(), key=lambda model: model.is_basic)
