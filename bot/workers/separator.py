"""Carries out separations in a worker: song from the object store, stems back to it.

The providers on this machine do the work, as in a bot.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bot.domain.backoff import backoff_s
from bot.domain.errors import (
    DISK_FULL,
    NoRoom,
    ObjectMissing,
    ProviderError,
    ProviderRefused,
    ProviderStarved,
    StoreUnavailable,
)
from bot.domain.job import JobId
from bot.domain.recipes import Stem
from bot.providers.interface import (
    Accepted,
    Call,
    Failed,
    Finished,
    KnowsTrouble,
    Lost,
    Model,
    Provider,
    Running,
    Source,
)
from bot.workers.counts import Outcome, WorkCounts
from bot.workers.failure_streak import FailureStreak
from storage.database.write_retry import retry_write
from storage.objects.object_store import ObjectStore
from storage.work_queue.separations import (
    Separation,
    SeparationError,
    SeparationKey,
    Separations,
)

log = logging.getLogger(__name__)

_OWN_FAULTS: Final = frozenset({SeparationError.FAILED, SeparationError.SONG_MISSING})
"""Errors that this worker may have caused although nothing is known to be wrong with its model."""
ROOM_WITHIN_S: Final = 60.0
"""How long a song waits here while the disk is full, before another worker gets it."""
FULL_PAUSE_S: Final = 120.0
"""How long this worker then takes no songs."""
ADVANCE_EVERY_S: Final = 1.0
"""The minimum time between two records of the progress."""


class _Ended(Exception):
    """The separation has ended elsewhere: it was cancelled, or another worker was faster."""


class _StaysFull(Exception):
    """This machine has had no room for some time."""


class _GaveUp(Exception):
    def __init__(self, error: SeparationError, detail: str) -> None:
        super().__init__(detail)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A separation on which this worker has the lease."""

    ours: Separation
    folder: Path
    provider: Provider
    model: Model

    @property
    def call(self) -> Call:
        # The lease makes the provider's reference unique in this process.
        name = JobId(str(self.ours.key))
        return Call(
            job_id=name, attempt=self.ours.lease, model=self.model, workdir=self.folder / "work"
        )


class _Room:
    """Measures how long a song waits for room on this machine."""

    def __init__(self, key: SeparationKey) -> None:
        self._key = key
        self._tries = 0
        self._began = 0.0

    def pause_s(self, lack: Exception) -> float:
        """Return how long to wait for the next try; raises _StaysFull after `ROOM_WITHIN_S`."""
        self._tries += 1
        if self._tries == 1:
            self._began = time.monotonic()
        elif time.monotonic() - self._began > ROOM_WITHIN_S:
            raise _StaysFull(str(lack)) from lack
        log.warning("%s waits for room: %s", self._key, lack)
        return backoff_s(self._tries, key=str(self._key))


class Separator:
    """Separates the songs of tasks."""

    def __init__(
        self,
        *,
        separations: Separations,
        objects: ObjectStore,
        providers: Sequence[Provider],
        scratch: Path,
        worker: str,
        streak: FailureStreak,
    ) -> None:
        """`scratch` is a folder for this process only, and `worker` is this worker's id."""
        self._separations = separations
        self._streak = streak
        self._objects = objects
        self._models = {
            model.name: (provider, model)
            for provider in providers
            for model in provider.capabilities.models
        }
        self._scratch = scratch
        self._worker = worker
        self._on_failure: Callable[[], Awaitable[None]] | None = None
        self._leaving = asyncio.Event()
        self._full_until: float | None = None
        self.counts = WorkCounts()

    @property
    def models(self) -> Sequence[Model]:
        """The models of all providers, without duplicates."""
        return [model for _, model in self._models.values()]

    def troubles(self) -> Mapping[str, str]:
        """Return the names of the models that cannot be used at the moment, and why."""
        if (trouble := self._streak.trouble) is not None:
            return dict.fromkeys(self._models, trouble)
        if self._full_until is not None and time.monotonic() < self._full_until:
            return dict.fromkeys(self._models, "the disk is full, or no process can be started")
        troubles = {
            name: provider.trouble_with(model)
            for name, (provider, model) in self._models.items()
            if isinstance(provider, KnowsTrouble)
        }
        return {name: trouble for name, trouble in troubles.items() if trouble is not None}

    def on_failure(self, handle: Callable[[], Awaitable[None]]) -> None:
        """Call `handle` before a failure is recorded, or a song is handed back for lack of room."""
        self._on_failure = handle

    def hand_back(self) -> None:
        """Return all work under way, and any that is started from now on, to the queue."""
        self._leaving.set()

    async def separate(self, key: SeparationKey) -> None:
        """Do the work of a task, unless it has ended; raises only when it is cancelled."""
        start = await retry_write(
            lambda: self._separations.start(key, worker=self._worker), what=f"the start of {key}"
        )
        if start is None:
            return
        log.info("%s: start number %d", key, start.lease, extra=_about(start, "started"))
        with self.counts.running():
            outcome = await self._until_leaving(start)
        self.counts.add(outcome)
        log.info("%s: %s", key, outcome, extra=_about(start, outcome))

    async def _until_leaving(self, ours: Separation) -> Outcome:
        work = asyncio.create_task(self._outcome(ours), name=f"separate {ours.key}")
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            # Handed back first, so that another worker begins while this one's child is ending.
            await retry_write(
                lambda: self._separations.hand_back(ours), what=f"handing back {ours.key}"
            )
            return Outcome.HANDED_BACK
        finally:
            leaving.cancel()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _outcome(self, ours: Separation) -> Outcome:
        folder = self._scratch / f"{ours.key}-{ours.lease}"
        try:
            provider, model = self._models[ours.model]
            work = _Work(ours=ours, folder=folder, provider=provider, model=model)
            return await self._finish(ours, await self._results(work))
        except _GaveUp as exc:
            log.warning("%s failed: %s: %s", ours.key, exc.error, exc)
            return await self._fail(ours, exc.error)
        except _Ended:
            return Outcome.DROPPED
        except _StaysFull as exc:
            log.warning("%s is handed back, since this machine has no room: %s", ours.key, exc)
            return await self._return_for_want_of_room(ours)
        except Exception:  # the bots must learn of it, or the song would wait for its deadline
            log.exception("%s failed", ours.key, extra=_about(ours, "failed"))
            return await self._fail(ours, SeparationError.FAILED)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _results(self, work: _Work) -> Mapping[Stem, str]:
        song = await self._received(work)
        try:
            finished = await self._separated(work, song)
            return await self._stored(work, finished)
        except ProviderStarved as exc:
            raise _GaveUp(SeparationError.STARVED, str(exc)) from exc
        except ProviderRefused as exc:
            raise _GaveUp(SeparationError.REFUSED, str(exc)) from exc
        except ProviderError as exc:
            raise _GaveUp(SeparationError.FAILED, f"{type(exc).__name__}: {exc}") from exc

    async def _received(self, work: _Work) -> Path:
        """Fetch the song; wait while this disk is full, because the next song would fail too."""
        song, room = work.folder / "song.f32", _Room(work.ours.key)
        while True:
            try:
                work.call.workdir.mkdir(parents=True, exist_ok=True)
                await self._repeated(lambda: self._objects.get(work.ours.key.song, song), work)
            except ObjectMissing:
                await self._advance(work.ours, 0.0)  # raises if the separation has ended
                why = "its song is not in the store"
                raise _GaveUp(SeparationError.SONG_MISSING, why) from None
            except OSError as exc:
                if exc.errno not in DISK_FULL:
                    raise
                await asyncio.sleep(room.pause_s(exc))
            else:
                return song

    async def _separated(self, work: _Work, song: Path) -> Finished:
        source = Source(mixture=song, frames=work.ours.frames, url=None)
        accepted = await work.provider.submit(work.call, source)
        if isinstance(accepted, Finished):
            return accepted
        try:
            return await self._followed(work, accepted)
        except BaseException:
            if work.provider.capabilities.can_cancel:
                await work.provider.cancel(accepted.ref)
            raise

    async def _followed(self, work: _Work, accepted: Accepted) -> Finished:
        told_at, room = 0.0, _Room(work.ours.key)
        while True:
            pause_s = work.provider.capabilities.poll_interval_s
            try:
                answer = await work.provider.poll(accepted.ref)
            except NoRoom as exc:
                pause_s = room.pause_s(exc)
                answer = Running()
            match answer:
                case Finished():
                    return answer
                case Failed(detail, is_starved=is_starved):
                    kind = SeparationError.STARVED if is_starved else SeparationError.FAILED
                    raise _GaveUp(kind, detail)
                case Lost():
                    raise _GaveUp(SeparationError.FAILED, "the engine has lost it")
                case Running(fraction) if time.monotonic() - told_at >= ADVANCE_EVERY_S:
                    told_at = time.monotonic()
                    await self._advance(work.ours, fraction or 0.0)
                case Running():
                    pass
            await asyncio.sleep(pause_s)

    async def _stored(self, work: _Work, finished: Finished) -> Mapping[Stem, str]:
        keys = {}
        for file in finished.files:
            if file.stem is None:
                raise _GaveUp(SeparationError.FAILED, "a result has no name")
            key = work.ours.key.result(work.ours.lease, file.stem)
            spool = work.folder / f"{file.stem}.f32"
            await work.provider.fetch(file, spool)
            put = partial(self._objects.put, spool, key)
            await self._repeated(put, work, fraction=1.0)
            await asyncio.to_thread(spool.unlink)
            keys[file.stem] = key
        return keys

    async def _repeated(
        self, transfer: Callable[[], Awaitable[None]], work: _Work, *, fraction: float = 0.0
    ) -> None:
        """Repeat a transfer while the object store is unavailable. Raises _Ended."""

        async def tried() -> None:
            await self._advance(work.ours, fraction)
            await transfer()

        await retry_write(tried, what=f"{work.ours.key}")

    async def _advance(self, ours: Separation, fraction: float) -> None:
        """Record the progress, if the database is available. Raises _Ended."""
        with suppress(StoreUnavailable):
            if not await self._separations.advance(ours, fraction):
                raise _Ended

    async def _finish(self, ours: Separation, files: Mapping[Stem, str]) -> Outcome:
        self._streak.end()
        is_first = await retry_write(
            lambda: self._separations.finish(ours, files), what=f"the result of {ours.key}"
        )
        if is_first:
            return Outcome.DONE
        with suppress(StoreUnavailable):  # the rest of its objects are deleted with the row
            await self._objects.remove_under(f"{ours.key.prefix}/{ours.lease}")
        return Outcome.DROPPED

    async def _return_for_want_of_room(self, ours: Separation) -> Outcome:
        self._full_until = time.monotonic() + FULL_PAUSE_S
        if self._on_failure is not None:
            await self._on_failure()  # otherwise this worker might get it again at once
        await retry_write(
            lambda: self._separations.hand_back(ours), what=f"handing back {ours.key}"
        )
        return Outcome.HANDED_BACK

    async def _fail(self, ours: Separation, error: SeparationError) -> Outcome:
        if error in _OWN_FAULTS and ours.model not in self.troubles():
            await self._streak.add(ours.key.job_id)
        if self._on_failure is not None:
            await self._on_failure()
        await retry_write(
            lambda: self._separations.fail(ours, error), what=f"the end of {ours.key}"
        )
        return Outcome.FAILED


def _about(ours: Separation, action: str) -> dict[str, str | int]:
    return {"job": ours.key.job_id, "action": action, "lease": ours.lease}
