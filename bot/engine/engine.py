"""The embedded engine: separates songs with one model, in a worker process.

Imports neither numpy nor onnxruntime; see worker_host.py for the worker. With a graphics card, the
worker runs under another interpreter, whose onnxruntime can use it.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import EngineFailed, ModelUnavailable, NoRoom
from bot.domain.recipes import Stem
from bot.engine.hardware.memory_fallback import MemoryFallback
from bot.engine.model_declaration import LocalModel
from bot.engine.protocol import Ready
from bot.engine.weights import Weights
from bot.engine.worker_host import EngineTimes, OutOfMemory, WorkerHost
from bot.engine.worker_process import Launch, embedded_worker, gpu_worker

log = logging.getLogger(__name__)

CACHE = ".gpu-cache"
"""The folder in the models' folder in which a graphics card's driver keeps compiled code."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """How a worker is started; each thread has a block in memory."""

    threads: int
    has_gpu: bool = False

    def __str__(self) -> str:
        where = "the graphics card" if self.has_gpu else "the CPU"
        return f"{self.threads} blocks at a time on {where}"


class Engine:
    """Separates songs with one model."""

    def __init__(
        self,
        *,
        models_dir: Path,
        model: LocalModel,
        threads: int,
        times: EngineTimes | None = None,
        launch: Callable[[Path], Launch] | None = None,
        gpu_python: Path | None = None,
    ) -> None:
        """If given, `launch` returns how to start a worker other than the embedded one.

        `gpu_python` is an interpreter that can use a graphics card.
        """
        self.model = model
        self._weights = Weights(model, models_dir)
        self._threads = threads
        self._own_launch = launch
        self._gpu_python = gpu_python
        self._cache = models_dir / CACHE
        self._is_proved = False
        self._fallback = MemoryFallback(self._choices())
        self._host = WorkerHost(self._launch, times=times or EngineTimes())

    @property
    def pid(self) -> int | None:
        """The worker's process id, or None if none is running."""
        return self._host.pid

    @property
    def is_ready(self) -> bool:
        """Whether the model's files are present, so that a separation can start."""
        return self._weights.is_present()

    @property
    def declared(self) -> Ready | None:
        """What the last worker said about itself; None before the first."""
        return self._host.declared

    async def try_gpu(self) -> str | None:
        """Start a worker on the graphics card; return why that fails, as a phrase, or None.

        If it fails, this interpreter and the CPU are used from now on.
        """
        try:
            await self.warm_up()
        except (EngineFailed, ModelUnavailable, NoRoom) as exc:
            reason = str(exc)
        else:
            declared = self.declared
            if declared is not None and declared.device != "cpu":
                self._is_proved = True
                return None
            reason = (declared and declared.device_note) or "the worker runs on the CPU"
        self._gpu_python = None
        self._fallback = MemoryFallback(self._choices())
        await self._host.rest()
        return reason

    async def separate(
        self,
        mixture: Path,
        *,
        frames: int,
        stems: Iterable[Stem],
        into: Path,
        progress: Callable[[float], None],
    ) -> dict[Stem, Path]:
        """Separate a spool into spools in the directory `into`; see `WorkerHost.separate`.

        If a graphics card has too little memory, the separation is tried again with half as many
        blocks at a time, and then on the CPU.
        """
        wanted = frozenset(stems)
        while True:
            try:
                return await self._host.separate(
                    self.model, mixture, frames=frames, stems=wanted, into=into, progress=progress
                )
            except OutOfMemory as exc:
                if not self._fallback.step_down():
                    raise
                log.warning("memory ran out (%s); continuing with %s", exc, self._fallback.current)

    async def warm_up(self) -> None:
        """Start the worker ahead of time; see `WorkerHost.warm_up`."""
        await self._host.warm_up()

    async def close(self) -> None:
        """End the worker and refuse further calls; a separation under way fails."""
        await self._host.close()

    def _choices(self) -> tuple[_Choice, ...]:
        cpu = _Choice(self._threads)
        if self._gpu_python is None:
            return (cpu,)
        halves = [_Choice(each, has_gpu=True) for each in (self._threads, self._threads // 2)]
        return (*(half for half in halves if half.threads), cpu)

    def _launch(self) -> Launch:
        weights, choice = self._weights.require(), self._fallback.current
        if self._own_launch is not None:
            return self._own_launch(weights)
        if self._gpu_python is None or not choice.has_gpu:
            return embedded_worker(self.model.name, weights, threads=choice.threads)
        self._cache.mkdir(exist_ok=True)
        return gpu_worker(
            self._gpu_python,
            self.model.name,
            weights,
            threads=choice.threads,
            cache=self._cache.absolute(),
            is_proved=self._is_proved,
        )
