"""The bot's interface to the studio: one call per song, as with the embedded engine.

The worker owns the graphics card, and is ended when idle to give its memory back.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from bot.domain.errors import ModelUnavailable
from bot.domain.recipes import Stem
from bot.engine.engine import CACHE
from bot.engine.hardware.memory_fallback import MemoryFallback
from bot.engine.protocol import Ready
from bot.engine.studio.studio_catalogue import Catalogue, StudioModel, stall_s_on
from bot.engine.worker_host import EngineTimes, OutOfMemory, WorkerHost
from bot.engine.worker_process import Launch
from bot.processes.spawn import foreign_command, foreign_environment

log = logging.getLogger(__name__)

_WORKER = "bot.engine.studio.studio_worker"
_WHOLE, _HALF = 1.0, 0.5
TIMES = EngineTimes(silence_s=120.0)
"""The limits of `WorkerHost`; a worker says nothing until torch is loaded, perhaps from a slow
disk."""


class StudioEngine:
    """Separates songs with the catalogue's models."""

    def __init__(
        self,
        *,
        python: Path,
        catalogue: Catalogue,
        models: tuple[StudioModel, ...],
        device: str,
        threads: int,
        times: EngineTimes = TIMES,
        worker_options: tuple[str, ...] = (),
    ) -> None:
        """`models` are those of the catalogue that the operator has accepted."""
        self._python = python
        self._catalogue = catalogue
        self._models = {model.name: model for model in models}
        self._device = device
        self._threads = threads
        self._worker_options = worker_options
        self._chunk_share = MemoryFallback((_WHOLE, _HALF))
        self._host = WorkerHost(self._launch, times=times)

    @property
    def pid(self) -> int | None:
        """The worker's process id, or None if none is running."""
        return self._host.pid

    @property
    def declared(self) -> Ready | None:
        """What the last worker said it can do; None before the first."""
        return self._host.declared

    @property
    def models(self) -> Mapping[str, StudioModel]:
        """The models that the last worker declared, and that the catalogue describes."""
        if self.declared is None:
            return {}
        served = {each.name for each in self.declared.models}
        stall_s = stall_s_on(self.declared.device)
        return {
            name: replace(model, stall_s=stall_s)
            for name, model in self._models.items()
            if name in served
        }

    async def separate(
        self,
        model: StudioModel,
        mixture: Path,
        *,
        frames: int,
        stems: Iterable[Stem],
        into: Path,
        progress: Callable[[float], None],
    ) -> dict[Stem, Path]:
        """Separate a spool into spools; see `WorkerHost.separate`.

        If memory runs out, the separation is tried again with chunks of half the length, but never
        on another device, where a network of this size takes hours.
        """
        wanted = frozenset(stems)
        while True:
            try:
                return await self._host.separate(
                    model, mixture, frames=frames, stems=wanted, into=into, progress=progress
                )
            except OutOfMemory as exc:
                if not self._chunk_share.step_down():
                    raise
                log.warning("%s: %s; trying again with chunks of half the length", model.title, exc)

    async def warm_up(self) -> None:
        """Start the worker ahead of time; see `WorkerHost.warm_up`."""
        await self._host.warm_up()

    async def close(self) -> None:
        """End the worker and refuse further calls."""
        await self._host.close()

    def _launch(self) -> Launch:
        if not self._models:
            raise ModelUnavailable("STEMCORD_STUDIO_ACCEPT names no model of the studio")
        cache = self._catalogue.folder.parent / CACHE
        cache.mkdir(parents=True, exist_ok=True)
        options = {
            "catalogue": self._catalogue.path,
            "folder": self._catalogue.folder,
            "cache": cache,
            "models": ",".join(self._models),
            "device": self._device,
            "chunk-share": self._chunk_share.current,
        }
        told = tuple(f"--{name}={value}" for name, value in options.items())
        return Launch(
            command=(*foreign_command(self._python, _WORKER), *told, *self._worker_options),
            environment=foreign_environment(threads=self._threads, cache=cache),
        )
