"""Runs one worker and hands it songs, one at a time.

Imports neither numpy nor onnxruntime. The networks and their memory are in the worker, which starts
with the first song, ends when idle, and is replaced if it dies.
"""

import asyncio
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, assert_never

from bot.audio.spool import FRAME_BYTES
from bot.domain.errors import CANNOT_START, DISK_FULL, EngineFailed, ModelUnavailable, NoRoom
from bot.domain.recipes import Stem
from bot.engine.protocol import (
    Alive,
    Cancel,
    Cancelled,
    Done,
    Failed,
    Progress,
    Ready,
    Reply,
    Separate,
    SeparationFault,
)
from bot.engine.worker_process import Launch, WorkerDied, WorkerProcess

log = logging.getLogger(__name__)

Last: TypeAlias = Done | Failed | Cancelled


class EngineStarved(EngineFailed):
    """The worker was killed from outside, most likely because the machine ran out of memory."""


class OutOfMemory(EngineStarved):
    """The worker ran out of memory and was ended; the next may start with smaller settings."""


class _Unresponsive(Exception):
    """The worker is silent or makes no progress, and must be killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTimes:
    """How long the engine waits for its worker."""

    idle_s: float = 300.0
    """An idle worker is ended after this time."""
    silence_s: float = 90.0
    """A worker that sends nothing for this time, not even `Alive`, is dead."""
    grace_s: float = 2.0
    """A worker that does not stop within this time is killed."""


class SongModel(Protocol):
    """What the host needs to know about a model."""

    @property
    def name(self) -> str:
        """The name by which the worker knows it."""
        ...

    @property
    def title(self) -> str:
        """The name that people read."""
        ...

    @property
    def stems(self) -> frozenset[Stem]:
        """The stems that can be asked for."""
        ...

    @property
    def spools(self) -> frozenset[Stem]:
        """The files that the worker writes: the stems, and those that others are made from."""
        ...

    @property
    def stall_s(self) -> float:
        """A worker that makes no progress for this time is hung."""
        ...


class WorkerHost:
    """Starts, uses, replaces and ends one worker."""

    def __init__(self, launch: Callable[[], Launch], *, times: EngineTimes) -> None:
        """`launch` returns how to start a worker, and raises ModelUnavailable if none can be."""
        self._launch = launch
        self._times = times
        self._turn = asyncio.Lock()
        self._ids = itertools.count(1)
        self._child: WorkerProcess | None = None
        self._retirement: asyncio.Task[None] | None = None
        self._is_closed = False
        self.declared: Ready | None = None
        """What the last worker said it can do; None before the first."""

    @property
    def pid(self) -> int | None:
        """The worker's process id, or None if none is running."""
        return self._child.pid if self._child and self._child.is_alive else None

    async def separate(
        self,
        model: SongModel,
        mixture: Path,
        *,
        frames: int,
        stems: Iterable[Stem],
        into: Path,
        progress: Callable[[float], None],
    ) -> dict[Stem, Path]:
        """Separate a spool into spools in the directory `into`; waits while another song runs.

        Raises ModelUnavailable, NoRoom if the disk is full or no worker can be started,
        OutOfMemory, and EngineFailed if the worker died, hung or could not separate the song.
        Cancelling the call stops the work. Files remain only if the call succeeds.
        """
        wanted = frozenset(stems)
        if not wanted <= model.stems:
            raise ValueError(f"{model.title} has no stems {sorted(wanted - model.stems)}")
        async with self._turn:
            if self._is_closed:
                raise EngineFailed("the engine is closed")
            await self._stay()
            request = Separate(
                id=next(self._ids),
                model=model.name,
                frames=frames,
                stems=tuple(sorted(wanted)),
            )
            spools = {stem: into / f"{stem}.f32" for stem in sorted(model.spools)}
            try:
                with _opened(mixture, spools.values()) as files:
                    await self._separate(request, files, progress, stall_s=model.stall_s)
                return _made(spools, wanted, frames=frames)
            except BaseException:
                _discard(spools.values())
                raise
            finally:
                if not self._is_closed:
                    self._retirement = asyncio.create_task(self._retire())

    async def warm_up(self) -> None:
        """Start the worker, which then loads the model; does nothing while there is one.

        Raises ModelUnavailable, NoRoom or EngineFailed when it cannot be started.
        """
        if not (self._is_closed or self._turn.locked() or self.pid is not None):
            await self._start_ahead()

    async def rest(self) -> None:
        """End the worker; the next song starts another."""
        async with self._turn:
            await self._stay()
            if self._child is not None:
                await self._child.end(grace_s=self._times.grace_s)

    async def close(self) -> None:
        """End the worker and refuse further calls; a separation under way fails."""
        self._is_closed = True
        await self._stay()
        if self._child is not None:
            await self._child.end(grace_s=self._times.grace_s)

    async def _start_ahead(self) -> None:
        async with self._turn:
            await self._stay()
            try:
                child = await self._living_child()
                if self._is_closed:  # while the worker was starting
                    await child.end(grace_s=self._times.grace_s)
            finally:  # also if this call was cancelled in the meantime
                if not self._is_closed:
                    self._retirement = asyncio.create_task(self._retire())

    async def _separate(
        self,
        request: Separate,
        files: Sequence[int],
        progress: Callable[[float], None],
        *,
        stall_s: float,
    ) -> None:
        child = await self._living_child()
        try:
            await child.say(request, files)
            last = await self._follow(child, progress, stall_s=stall_s)
        except WorkerDied as exc:
            raise (EngineStarved if exc.was_killed else EngineFailed)(str(exc)) from exc
        except _Unresponsive as exc:
            await child.kill()
            raise EngineFailed(str(exc)) from exc
        except BaseException:
            await self._call_off(child, request)
            raise
        try:
            _require_done(last)
        except OutOfMemory:
            # What is left of its memory, and whether its networks still work, is unknown.
            await child.end(grace_s=self._times.grace_s)
            raise

    async def _living_child(self) -> WorkerProcess:
        if self._child is None or not self._child.is_alive:
            if self._child is not None:
                await self._child.kill()  # releases the pipes of the dead worker
            try:
                self._child = await WorkerProcess.start(self._launch())
            except OSError as exc:
                kind_of_failure = NoRoom if exc.errno in CANNOT_START else EngineFailed
                raise kind_of_failure(f"the worker could not be started: {exc}") from exc
            log.info("engine worker %s started", self._child.pid)
        await self._begin(self._child)
        return self._child

    async def _begin(self, child: WorkerProcess) -> None:
        """Wait until the worker has said what it can do."""
        try:
            async with asyncio.timeout(self._times.silence_s):
                declared = await child.ready()
        except WorkerDied as exc:
            raise (EngineStarved if exc.was_killed else EngineFailed)(str(exc)) from exc
        except TimeoutError as exc:
            await child.kill()
            raise EngineFailed("the worker does not report that it is ready") from exc
        if declared is not self.declared:
            self.declared = declared
            log.info(
                "engine worker %s runs on %s (%s)",
                child.pid,
                declared.device,
                declared.device_name,
            )
            if declared.device_note:
                log.warning("engine worker %s: %s", child.pid, declared.device_note)

    async def _follow(
        self, child: WorkerProcess, progress: Callable[[float], None], *, stall_s: float
    ) -> Last:
        """Pass on the worker's progress until its final message about the separation.

        Raises _Unresponsive if it is silent for too long, or works without any progress.
        """
        clock = asyncio.get_running_loop().time
        progressed_at = clock()
        while True:
            reply = await self._hear(child)
            match reply:
                case Progress():
                    progressed_at = clock()
                    progress(reply.fraction)
                case Alive():
                    if clock() > progressed_at + stall_s:
                        raise _Unresponsive(f"no progress for {stall_s:.0f} s")
                case Ready():
                    raise _Unresponsive("the worker restarted in the middle of its work")
                case _:
                    return reply

    async def _hear(self, child: WorkerProcess) -> Reply:
        try:
            async with asyncio.timeout(self._times.silence_s):
                return await child.hear()
        except TimeoutError as exc:
            silence_s = self._times.silence_s
            raise _Unresponsive(f"the worker sent nothing for {silence_s:.0f} s") from exc

    async def _call_off(self, child: WorkerProcess, request: Separate) -> None:
        """Ask the worker to stop at its next block; kill it if that takes too long."""
        try:
            async with asyncio.timeout(self._times.grace_s):
                await child.say(Cancel(id=request.id))
                while isinstance(await child.hear(), Alive | Progress):
                    continue
        except WorkerDied:
            log.info("engine worker %s died while a song was being cancelled", child.pid)
        except (TimeoutError, asyncio.CancelledError):
            await child.kill()

    async def _retire(self) -> None:
        """End the worker after an idle time, to free its memory."""
        await asyncio.sleep(self._times.idle_s)
        async with self._turn:
            if self._child is not None:
                log.info("engine worker %s ends: nothing to do", self._child.pid)
                await self._child.end(grace_s=self._times.grace_s)

    async def _stay(self) -> None:
        """Cancel the pending end of an idle worker."""
        if self._retirement is not None:
            self._retirement.cancel()
            await asyncio.wait([self._retirement])


@contextmanager
def _opened(mixture: Path, spools: Iterable[Path]) -> Iterator[Sequence[int]]:
    """Open the song for reading and a new file for each stem, for the worker to use.

    Raises NoRoom, or EngineFailed if the song is missing.
    """
    with ExitStack() as stack:
        files = []
        try:
            files.append(os.open(mixture, os.O_RDONLY | os.O_CLOEXEC))
            stack.callback(os.close, files[-1])
            for path in spools:
                path.parent.mkdir(parents=True, exist_ok=True)
                files.append(
                    os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                )
                stack.callback(os.close, files[-1])
        except OSError as exc:
            is_no_room = exc.errno in CANNOT_START | DISK_FULL
            raise (NoRoom if is_no_room else EngineFailed)(
                f"the files cannot be opened: {exc}"
            ) from exc
        yield files


def _made(spools: Mapping[Stem, Path], wanted: frozenset[Stem], *, frames: int) -> dict[Stem, Path]:
    """Return the wanted stems and delete the others; raises EngineFailed if one is incomplete.

    The worker is not trusted, because it has read an untrusted song.
    """
    made = {stem: spools[stem] for stem in wanted}
    for stem, path in made.items():
        if path.stat().st_size != frames * FRAME_BYTES:
            raise EngineFailed(f"the worker left {stem} incomplete")
    _discard(spools[stem] for stem in spools.keys() - wanted)
    return made


def _discard(spools: Iterable[Path]) -> None:
    for path in spools:
        path.unlink(missing_ok=True)


def _require_done(last: Last) -> None:
    """Raise the error that the worker's final message stands for, unless it succeeded."""
    match last:
        case Done():
            return
        case Failed(trouble=SeparationFault.MODEL):
            raise ModelUnavailable(last.detail)
        case Failed(trouble=SeparationFault.DISK_FULL):
            raise NoRoom(last.detail)
        case Failed(trouble=SeparationFault.MEMORY):
            raise OutOfMemory(last.detail)
        case Failed():
            raise EngineFailed(f"{last.trouble}: {last.detail}")
        case Cancelled():
            raise EngineFailed("the worker was told to stop")
        case _:
            assert_never(last)
