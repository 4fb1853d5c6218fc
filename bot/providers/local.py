"""The embedded engine as a provider: no key, no network, one song at a time.

References are valid in this process only. After a restart they are answered with `Lost` and the job
is submitted again, which costs nothing but time.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from bot.audio.spool import frames_in
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
from bot.engine.engine import Engine
from bot.engine.memory import memory_limit_mib
from bot.engine.model_declaration import LocalModel
from bot.engine.worker_host import EngineStarved
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
from storage.files.atomic import move_into_place

log = logging.getLogger(__name__)

NAME = "local"
KILLED_BEFORE_REST = 2
REST_S = 900.0
REMEMBERED = 32
"""The number of finished separations that can still be polled."""


def offered(model: LocalModel) -> tuple[Model, ...]:
    """Return what a model of the engine declares as a provider's models."""
    return tuple(
        Model(name=offer.name, stems=offer.stems, sums_to_song=True, is_basic=offer.is_basic)
        for offer in model.offers
    )


@dataclass(slots=True)
class _Separation:
    call: Call
    source: Source
    task: asyncio.Task[dict[Stem, Path]] | None = None
    fraction: float = 0.0

    def advance(self, fraction: float) -> None:
        self.fraction = fraction


class Local:
    """Separates songs on this machine."""

    def __init__(self, *, engine: Engine) -> None:
        self._engine = engine
        self._capabilities = Capabilities(
            name=NAME,
            title="Stemcord",
            models=offered(engine.model),
            is_hosted=False,
            is_resubmittable=True,
            can_cancel=True,
            concurrency=1,
            poll_interval_s=0.25,
            gives_spools=True,
        )
        self._separations: dict[RemoteRef, _Separation] = {}
        self._broken_model: str | None = None
        """The reason why the model cannot be loaded; this process does not try again."""
        self._killed_in_a_row = 0
        self._rests_until = 0.0

    @property
    def capabilities(self) -> Capabilities:
        """The provider's declared capabilities."""
        return self._capabilities

    async def submit(self, call: Call, source: Source) -> Accepted:
        """Start a separation.

        Raises ProviderRefused if the model is not installed: only the operator can install it, so
        there is no point in waiting.
        """
        self._forget_old()
        if self._broken_model is not None:
            raise ProviderRefused(self._broken_model)
        if time.monotonic() < self._rests_until:
            raise ProviderStarved("the engine is paused, since this machine has too little memory")
        if not self._engine.is_ready:
            raise ProviderRefused(f"the model {self._engine.model.title} is not on this machine")
        ref = RemoteRef(f"{call.job_id}-{call.attempt}")
        separation = self._separations[ref] = _Separation(call, source)
        self._start(separation)
        return Accepted(ref)

    async def warm_up(self) -> None:
        """Have the model loaded; a submit tells why it cannot be."""
        is_resting = time.monotonic() < self._rests_until
        if self._broken_model is not None or is_resting or not self._engine.is_ready:
            return
        try:
            await self._engine.warm_up()
        except (ModelUnavailable, NoRoom, EngineFailed) as exc:
            log.info("the engine's worker cannot be started ahead: %s", exc)

    def _start(self, separation: _Separation) -> None:
        call, source = separation.call, separation.source
        separation.fraction = 0.0
        separation.task = asyncio.create_task(
            self._engine.separate(
                source.mixture,
                frames=source.frames,
                stems=sorted(call.model.stems),
                into=call.workdir,
                progress=separation.advance,
            ),
            name=f"separate {call.job_id}-{call.attempt}",
        )

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
            if self._broken_model is None:
                self._broken_model = str(exc)
                log.error(  # noqa: TRY400 - the message is complete without a traceback
                    "%s cannot be loaded, so nothing is separated here: %s; delete it, let "
                    "`python -m bot models` fetch it again, and restart the bot",
                    self._engine.model.title,
                    exc,
                )
            return Failed("the model cannot be loaded")
        except EngineStarved:
            self._note_killed()
            return Failed("the engine was killed", is_starved=True)
        except EngineFailed as exc:
            log.warning("separation %s failed: %s", ref, exc)
            return Failed("the engine failed")
        self._killed_in_a_row = 0
        return Finished(tuple(RemoteFile(str(path), stem) for stem, path in stems.items()))

    def _note_killed(self) -> None:
        """Pause after two such failures in a row, because the next songs would fail too."""
        self._killed_in_a_row += 1
        limit_mib = memory_limit_mib()
        log.error(
            "the engine's worker was killed, most likely for lack of memory: this bot may have %s, "
            "and the worker alone needs about %d MiB",
            f"{limit_mib:,} MiB" if limit_mib else "an unknown amount",
            self._engine.model.cost.memory_mib,
        )
        if self._killed_in_a_row >= KILLED_BEFORE_REST:
            self._rests_until = time.monotonic() + REST_S
            log.error("local separation is paused for %.0f min", REST_S / 60)

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

    async def vocals(self, mixture: Path, into: Path) -> Path:
        """Separate the vocals of a short spool. Raises ModelUnavailable or EngineFailed."""
        stems = await self._engine.separate(
            mixture,
            frames=frames_in(mixture),
            stems=[Stem.VOCALS],
            into=into,
            progress=lambda _: None,
        )
        return stems[Stem.VOCALS]

    async def aclose(self) -> None:
        """Stop all separations, and end the worker."""
        for ref in list(self._separations):
            await self.cancel(ref)
        await self._engine.close()

    def _forget_old(self) -> None:
        done = [ref for ref, each in self._separations.items() if each.task and each.task.done()]
        for ref in done[: max(0, len(done) - REMEMBERED)]:
            del self._separations[ref]


def _move(spool: Path, into: Path) -> bool:
    if spool != into and spool.exists():
        move_into_place(spool, into, durable=False)
    return into.exists()
