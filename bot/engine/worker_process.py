"""A worker process, from the engine's side: its start, requests, replies and end."""

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.engine.protocol import PROTOCOL, Ready, Reply, Request
from bot.processes import ipc
from bot.processes.descriptors import Sender
from bot.processes.spawn import (
    environment,
    foreign_command,
    foreign_environment,
    module_command,
    require_pipe,
)

log = logging.getLogger(__name__)

_CHUNK_BYTES = 16 * 1024
_HEAPS = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(8 * 1024 * 1024)}
"""Limits the memory that glibc retains. By default it has up to eight heaps per core, and none of
them shrinks. Blocks above the threshold are allocated outside the heaps and returned when freed."""

_GONE_WITHIN_S = 1.0
"""The time that a worker may take to exit after closing its pipe."""


class WorkerDied(Exception):
    """The worker is gone or sent an invalid message, and can no longer be used."""

    def __init__(self, message: str, *, was_killed: bool = False) -> None:
        super().__init__(message)
        self.was_killed = was_killed
        """Whether it was killed from outside, as the kernel does when memory runs out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a worker."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def embedded_worker(model: str, weights: Path, *, threads: int) -> Launch:
    """Return how to start the worker that is part of this code base."""
    arguments = (model, str(weights.absolute()), f"--threads={threads}")
    return Launch(
        command=(*module_command("bot.engine.worker"), *arguments),
        environment=environment() | _HEAPS,
    )


def gpu_worker(
    python: Path, model: str, weights: Path, *, threads: int, cache: Path, is_proved: bool
) -> Launch:
    """Return how to start the same worker under an interpreter that can use a graphics card.

    Unless `is_proved`, it compares the card with the CPU first.
    """
    arguments = (
        model,
        str(weights.absolute()),
        "--gpu",
        f"--threads={threads}",
        f"--cache={cache}",
    )
    proved = ("--proved",) if is_proved else ()
    return Launch(
        command=(*foreign_command(python, "bot.engine.worker"), *arguments, *proved),
        environment=foreign_environment(threads=1, cache=cache) | _HEAPS,
    )


class WorkerProcess:
    """A running worker; create one with `start`."""

    def __init__(self, process: Process, sender: Sender) -> None:
        self._process = process
        self._input = sender
        self._output = require_pipe(process.stdout)
        self._errors = asyncio.create_task(_log_errors(require_pipe(process.stderr), process.pid))
        self._ready: Ready | None = None

    @classmethod
    async def start(cls, launch: Launch) -> "WorkerProcess":
        """Start a worker; raises OSError if the system cannot."""
        sender = Sender()
        try:
            process = await asyncio.create_subprocess_exec(
                *launch.command,
                stdin=sender.child_end.fileno(),
                stdout=PIPE,
                stderr=PIPE,
                env=launch.environment,
                process_group=0,
                limit=ipc.MOST_LINE_BYTES,
            )
        except BaseException:
            sender.close()
            raise
        sender.child_end.close()
        return cls(process, sender)

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the worker is running, as far as is known."""
        return self._process.returncode is None

    async def ready(self) -> Ready:
        """Wait for the worker's first message; raises WorkerDied. Later calls return it at once."""
        if self._ready is None:
            first = await self.hear()
            if not isinstance(first, Ready) or first.protocol != PROTOCOL:
                await self.kill()
                raise WorkerDied(f"the worker's first message is not Ready in protocol {PROTOCOL}")
            self._ready = first
        return self._ready

    async def say(self, request: Request, files: Sequence[int] = ()) -> None:
        """Send a request and the open files that go with it; raises WorkerDied."""
        try:
            await self._input.send(ipc.encode(request), files)
        except (BrokenPipeError, ConnectionResetError) as exc:
            raise await self._epitaph() from exc

    async def hear(self) -> Reply:
        """Wait for the next reply; raises WorkerDied."""
        try:
            reply: Reply | None = await ipc.receive(self._output, Reply)
        except ipc.MalformedMessage as exc:
            await self.kill()
            raise WorkerDied(str(exc)) from exc
        if reply is None:
            raise await self._epitaph()
        return reply

    async def end(self, *, grace_s: float) -> None:
        """Close the worker's input and wait for its exit; kill it if that takes too long."""
        try:
            async with asyncio.timeout(grace_s):
                self._input.close()
                await self._process.wait()
        except TimeoutError:
            log.warning("engine worker %s does not stop; killing it", self.pid)
        finally:
            await self.kill()

    async def kill(self) -> None:
        """Kill the worker and everything that it started, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._input.close()
        await self._process.wait()
        await asyncio.wait([self._errors])

    async def _epitaph(self) -> WorkerDied:
        """Return an error that describes how the worker ended; kills one that is still running."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GONE_WITHIN_S):
                await self._process.wait()
        was_killed = self._process.returncode == -signal.SIGKILL
        await self.kill()
        message = f"the worker ended with status {self._process.returncode}"
        return WorkerDied(message, was_killed=was_killed)


async def _log_errors(pipe: asyncio.StreamReader, pid: int) -> None:
    while chunk := await pipe.read(_CHUNK_BYTES):
        log.warning("engine worker %s: %s", pid, chunk.decode(errors="replace").rstrip())
