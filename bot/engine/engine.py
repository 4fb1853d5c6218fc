"""Separation as the bot sees it: one call a song, one song at a time, in a worker of its own.

Imports neither numpy nor onnxruntime: the network and its memory live in the worker, which is
started for the first song, ended when idle, and replaced when it dies.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias, assert_never

from bot.domain.errors import CANNOT_START, EngineFailed, ModelUnavailable, NoRoom
from bot.domain.recipes import Stem
from bot.engine.catalogue import LocalModel
from bot.engine.protocol import (
    Cancel,
    Cancelled,
    Done,
    Failed,
    Progress,
    Separate,
    SeparationFault,
    spool_path,
)
from bot.engine.weights import Weights
from bot.engine.worker_process import WorkerDied, WorkerProcess

log = logging.getLogger(__name__)

Last: TypeAlias = Done | Failed | Cancelled


class EngineStarved(EngineFailed):
    """The worker was killed from outside, most likely because the machine is out of memory."""


class Engine:
    """Separates songs with one model."""

    def __init__(
        self,
        *,
        models_dir: Path,
        model: LocalModel,
        threads: int,
        idle_s: float = 300.0,
        stall_s: float = 180.0,
        grace_s: float = 2.0,
    ) -> None:
        self.model = model
        self._weights = Weights(model, models_dir)
        self._threads = threads
        self._idle_s = idle_s
        self._stall_s = stall_s
        self._grace_s = grace_s
        self._turn = asyncio.Lock()
        self._ids = itertools.count(1)
        self._child: WorkerProcess | None = None
        self._retirement: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        return self._child.pid if self._child and self._child.is_alive else None

    @property
    def is_ready(self) -> bool:
        """Whether the model's files are there, so that a separation can start."""
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
        """Separate a spool into spools in the directory `into`; waits while another song runs.

        Raises ModelUnavailable, NoRoom when the disk is full or no worker can be started, or
        EngineFailed when the worker died, hung or could not do it.
        Cancelling this call ends the work too; whatever happens but success leaves no file.
        """
        wanted = frozenset(stems)
        if not wanted <= self.model.stems:
            raise ValueError(
                f"{self.model.title} does not give {sorted(wanted - self.model.stems)}"
            )
        async with self._turn:
            if self._is_closed:
                raise EngineFailed("the engine is closed")
            await self._stay()
            try:
                return await self._separate(self._request(mixture, frames, wanted, into), progress)
            except BaseException:
                self._discard(into)
                raise
            finally:
                if not self._is_closed:
                    self._retirement = asyncio.create_task(self._retire())

    async def close(self) -> None:
        """End the worker; a separation still under way fails, and none can follow."""
        self._is_closed = True
        await self._stay()
        if self._child is not None:
            await self._child.end(grace_s=self._grace_s)

    async def _separate(
        self, request: Separate, progress: Callable[[float], None]
    ) -> dict[Stem, Path]:
        child = await self._living_child()
        try:
            await child.say(request)
            last = await self._follow(child, progress)
        except WorkerDied as exc:
            raise (EngineStarved if exc.was_killed else EngineFailed)(str(exc)) from exc
        except TimeoutError as exc:
            await child.kill()
            raise EngineFailed(f"the worker said nothing for {self._stall_s:.0f} s") from exc
        except BaseException:
            await self._call_off(child, request)
            raise
        return _files(last)

    async def _living_child(self) -> WorkerProcess:
        weights = self._weights.require()
        if self._child is None or not self._child.is_alive:
            arguments = [self.model.name, str(weights.absolute()), f"--threads={self._threads}"]
            try:
                self._child = await WorkerProcess.start(arguments)
            except OSError as exc:
                kind_of_failure = NoRoom if exc.errno in CANNOT_START else EngineFailed
                raise kind_of_failure(f"the worker could not be started: {exc}") from exc
            log.info("engine worker %s started", self._child.pid)
        return self._child

    async def _follow(self, child: WorkerProcess, progress: Callable[[float], None]) -> Last:
        """Pass the worker's progress on until its last word on the separation."""
        while True:
            async with asyncio.timeout(self._stall_s):
                reply = await child.hear()
            if not isinstance(reply, Progress):
                return reply
            progress(reply.fraction)

    async def _call_off(self, child: WorkerProcess, request: Separate) -> None:
        """Have the worker stop at its next block, or kill it when it takes too long to."""
        try:
            async with asyncio.timeout(self._grace_s):
                await child.say(Cancel(id=request.id))
                while isinstance(await child.hear(), Progress):
                    continue
        except WorkerDied:
            log.info("engine worker %s died while a song was called off", child.pid)
        except (TimeoutError, asyncio.CancelledError):
            await child.kill()

    async def _retire(self) -> None:
        """End the worker after a while without songs, to give its memory back."""
        await asyncio.sleep(self._idle_s)
        async with self._turn:
            if self._child is not None:
                log.info("engine worker %s ends: nothing to do", self._child.pid)
                await self._child.end(grace_s=self._grace_s)

    async def _stay(self) -> None:
        """Call the worker's retirement off."""
        if self._retirement is not None:
            self._retirement.cancel()
            await asyncio.wait([self._retirement])

    def _request(self, mixture: Path, frames: int, stems: Iterable[Stem], into: Path) -> Separate:
        return Separate(
            id=next(self._ids),
            mixture=str(mixture.absolute()),
            frames=frames,
            stems=sorted(stems),
            into=str(into.absolute()),
        )

    def _discard(self, into: Path) -> None:
        """Remove what a worker left that could not clean up after itself."""
        for stem in self.model.stems:
            spool_path(into, stem).unlink(missing_ok=True)


def _files(last: Last) -> dict[Stem, Path]:
    match last:
        case Done():
            return {Stem(stem): Path(path) for stem, path in last.files.items()}
        case Failed(trouble=SeparationFault.MODEL):
            raise ModelUnavailable(last.detail)
        case Failed(trouble=SeparationFault.DISK_FULL):
            raise NoRoom(last.detail)
        case Failed():
            raise EngineFailed(f"{last.trouble}: {last.detail}")
        case Cancelled():
            raise EngineFailed("the worker was told to stop")
        case _:
            assert_never(last)
