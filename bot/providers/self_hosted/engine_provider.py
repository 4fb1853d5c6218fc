"""The shared base of providers that separate songs in a worker process on this machine.

References are valid in this process only. After a restart they are answered with `Lost` and the job
is submitted again, which costs nothing but time.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import (
    EngineFailed,
    ModelUnavailable,
    NoRoom,
    ProviderProtocol,
    ProviderRefused,
    ProviderStarved,
)
from bot.domain.recipes import Stem
from bot.engine.memory import memory_limit_mib
from bot.engine.protocol import Ready
from bot.engine.worker_host import EngineStarved
from bot.providers.interface import (
    Accepted,
    Call,
    Capabilities,
    Device,
    Failed,
    Finished,
    Lost,
    Model,
    Running,
    Source,
)
from storage.files.atomic import move_into_place

log = logging.getLogger(__name__)

STARVED_BEFORE_REST = 2
REST_S = 900.0
PAUSED = "the engine is paused, since this machine has too little memory"
REMEMBERED = 32
"""The number of finished separations that can still be polled."""


@dataclass(slots=True)
class Separation:
    """A song under way, or one that has ended and can still be polled."""

    call: Call
    source: Source
    task: asyncio.Task[dict[Stem, Path]] | None = None
    fraction: float = 0.0
    tell: Callable[[], None] | None = None
    """Called when the task ends."""

    def advance(self, fraction: float) -> None:
        """Record the fraction done."""
        self.fraction = fraction


class EngineProvider(ABC):
    """Separates songs on this machine, one at a time."""

    def __init__(self, *, name: str, title: str, models: tuple[Model, ...]) -> None:
        self._capabilities = Capabilities(
            name=name,
            title=title,
            models=models,
            is_hosted=False,
            is_resubmittable=True,
            can_cancel=True,
            concurrency=1,
            poll_interval_s=0.25,
            gives_spools=True,
        )
        self._separations: dict[RemoteRef, Separation] = {}
        self._broken: dict[str, str] = {}
        """Why a model cannot be loaded, by its title; this process does not try it again."""
        self._starved_in_a_row = 0
        self._rests_until = 0.0

    @property
    def capabilities(self) -> Capabilities:
        """The provider's declared capabilities."""
        return self._capabilities

    @property
    @abstractmethod
    def declared(self) -> Ready | None:
        """What the last worker said about itself; None before the first."""

    @property
    def device(self) -> Device | None:
        """What the last worker ran on; None before the first."""
        declared = self.declared
        return None if declared is None else Device(declared.device, declared.device_name)

    @abstractmethod
    def _file_title(self, model: Model) -> str:
        """Return the title of the file that the model needs loaded."""

    @abstractmethod
    def _lack(self, model: Model) -> str | None:
        """Return why a missing file keeps the model from being used; None if no file is missing."""

    @abstractmethod
    async def _separate(self, separation: Separation) -> dict[Stem, Path]:
        """Separate the song."""

    @abstractmethod
    def _needed_mib(self, call: Call) -> int:
        """Return roughly how much memory the worker needs for the call."""

    @abstractmethod
    async def _start_worker(self) -> None:
        """Start the worker before a song needs it."""

    @abstractmethod
    async def _end_worker(self) -> None:
        """End the worker for good."""

    def trouble_with(self, model: Model) -> str | None:
        """Return why nothing can be separated with the model at the moment; None if it can be."""
        return self._damage(model) or (PAUSED if self._is_resting else None)

    async def submit(self, call: Call, source: Source) -> Accepted:
        """Start a separation.

        Raises ProviderRefused if the model is not installed: only the operator can install it, so
        there is no point in waiting.
        """
        self._forget_old()
        if (reason := self._damage(call.model)) is not None:
            raise ProviderRefused(reason)
        if self._is_resting:
            raise ProviderStarved(PAUSED)
        ref = RemoteRef(f"{call.job_id}-{call.attempt}")
        separation = self._separations[ref] = Separation(call, source)
        self._start(separation)
        return Accepted(ref)

    async def warm_up(self) -> None:
        """Start the worker ahead of time; if that fails, the next submit says why."""
        if self._is_resting:
            return
        try:
            await self._start_worker()
        except (ModelUnavailable, NoRoom, EngineFailed) as exc:
            log.info("%s: the worker cannot be started early: %s", self._capabilities.name, exc)

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        """Return a separation's progress.

        Raises NoRoom if it ran out of disk space; it has then already been restarted.
        """
        separation = self._separations.get(ref)
        if separation is None or separation.task is None or separation.task.cancelled():
            return Lost()
        if not separation.task.done():
            return Running(separation.fraction)
        try:
            stems = separation.task.result()
        except NoRoom:
            self._start(separation)
            raise
        except ModelUnavailable as exc:
            self._note_broken(self._file_title(separation.call.model), str(exc))
            return Failed("the model cannot be loaded")
        except EngineStarved as exc:
            self._note_starved(separation.call, exc)
            return Failed("the engine ran out of memory", is_starved=True)
        except EngineFailed as exc:
            log.warning("separation %s failed: %s", ref, exc)
            return Failed("the engine failed")
        self._starved_in_a_row = 0
        return Finished(tuple(RemoteFile(str(path), stem) for stem, path in stems.items()))

    def when_done(self, ref: RemoteRef, tell: Callable[[], None]) -> None:
        """Call `tell` once a separation has ended, however it ended."""
        separation = self._separations.get(ref)
        if separation is None or separation.task is None or separation.task.done():
            tell()
        else:
            separation.tell = tell

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        """Move a separated spool to `into`; safe to repeat once it is there."""
        if not await asyncio.to_thread(_move, Path(file.address), into):
            raise ProviderProtocol("a separated stem is gone")

    async def cancel(self, ref: RemoteRef) -> None:
        """Stop a separation at any point."""
        separation = self._separations.pop(ref, None)
        if separation is not None and separation.task is not None:
            separation.task.cancel()
            await asyncio.gather(separation.task, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop all separations, and end the worker."""
        for ref in list(self._separations):
            await self.cancel(ref)
        await self._end_worker()

    @property
    def _is_resting(self) -> bool:
        return time.monotonic() < self._rests_until

    def _damage(self, model: Model) -> str | None:
        return self._broken.get(self._file_title(model)) or self._lack(model)

    def _start(self, separation: Separation) -> None:
        separation.fraction = 0.0
        separation.task = asyncio.create_task(
            self._separate(separation),
            name=f"separate {separation.call.job_id}-{separation.call.attempt}",
        )
        separation.task.add_done_callback(lambda _: separation.tell and separation.tell())

    def _note_broken(self, title: str, reason: str) -> None:
        if title in self._broken:
            return
        self._broken[title] = reason
        log.error(
            "%s cannot be loaded, so nothing is separated with it: %s; delete it, let "
            "`python -m bot models` fetch it again, and restart the bot",
            title,
            reason,
        )

    def _note_starved(self, call: Call, cause: EngineStarved) -> None:
        """Log a lack of memory; pause after two in a row, because the next songs would fail too."""
        self._starved_in_a_row += 1
        limit_mib = memory_limit_mib()
        log.error(
            "the engine's worker ended, most likely for lack of memory (%s): this bot may have %s, "
            "and the worker alone needs about %d MiB",
            cause,
            f"{limit_mib:,} MiB" if limit_mib else "an unknown amount",
            self._needed_mib(call),
        )
        if self._starved_in_a_row >= STARVED_BEFORE_REST:
            self._rests_until = time.monotonic() + REST_S
            log.error(
                "separation by %s is paused for %.0f min", self.capabilities.name, REST_S / 60
            )

    def _forget_old(self) -> None:
        done = [ref for ref, each in self._separations.items() if each.task and each.task.done()]
        for ref in done[: max(0, len(done) - REMEMBERED)]:
            del self._separations[ref]


def _move(spool: Path, into: Path) -> bool:
    if spool != into and spool.exists():
        move_into_place(spool, into, durable=False)
    return into.exists()
