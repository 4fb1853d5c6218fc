"""The embedded engine: separates songs with one model, in a worker process.

Imports neither numpy nor onnxruntime; see worker_host.py for the worker.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from bot.domain.recipes import Stem
from bot.engine.model_declaration import LocalModel
from bot.engine.protocol import Ready
from bot.engine.weights import Weights
from bot.engine.worker_host import EngineTimes, WorkerHost
from bot.engine.worker_process import Launch, embedded_worker


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
    ) -> None:
        """`launch` returns how to start a worker with the model's file, if not the embedded one."""
        self.model = model
        self._weights = Weights(model, models_dir)
        launch = launch or partial(embedded_worker, model.name, threads=threads)
        self._host = WorkerHost(
            lambda: launch(self._weights.require()), times=times or EngineTimes()
        )

    @property
    def pid(self) -> int | None:
        """The worker's process id, or None if none is running."""
        return self._host.pid

    @property
    def declared(self) -> Ready | None:
        """What the last worker said that it can do; None before the first."""
        return self._host.declared

    @property
    def is_ready(self) -> bool:
        """Whether the model's files are present, so that a separation can start."""
        return self._weights.is_present()

    async def separate(
        self,
        mixture: Path,
        *,
        frames: int,
        stems: Iterable[Stem],
        into: Path,
        progress: Callable[[float], None],
    ) -> dict[Stem, Path]:
        """Separate a spool into spools in the directory `into`; see `WorkerHost.separate`."""
        return await self._host.separate(
            self.model, mixture, frames=frames, stems=stems, into=into, progress=progress
        )

    async def warm_up(self) -> None:
        """Start the worker ahead; see `WorkerHost.warm_up`."""
        await self._host.warm_up()

    async def close(self) -> None:
        """End the worker and refuse further calls; a separation under way fails."""
        await self._host.close()
