"""One worker process as the engine sees it: its start, requests, replies and end."""

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

from bot.engine.protocol import Reply, Request
from bot.processes import ipc
from bot.processes.descriptors import Sender
from bot.processes.spawn import environment, module_command, require_pipe

log = logging.getLogger(__name__)

_CHUNK_BYTES = 16 * 1024
_HEAPS = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(8 * 1024 * 1024)}
"""Otherwise glibc keeps up to eight heaps per core, each at its largest size so far, and keeps what
is freed there; larger blocks it returns."""

_GONE_WITHIN_S = 1.0
"""How long a worker may take to exit after closing its pipe."""


class WorkerDied(Exception):
    """The worker is gone or talks nonsense; it is of no further use."""

    def __init__(self, message: str, *, was_killed: bool = False) -> None:
        super().__init__(message)
        self.was_killed = was_killed
        """Whether somebody else killed it, which is what a system does that is out of memory."""


class WorkerProcess:
    """A running worker. Make it with `start`."""

    def __init__(self, process: Process, sender: Sender) -> None:
        self._process = process
        self._input = sender
        self._output = require_pipe(process.stdout)
        self._errors = asyncio.create_task(_log_errors(require_pipe(process.stderr), process.pid))

    @classmethod
    async def start(cls, arguments: Sequence[str]) -> "WorkerProcess":
        """Start a worker; raises OSError if the machine cannot."""
        sender = Sender()
        try:
            process = await asyncio.create_subprocess_exec(
                *module_command("bot.engine.worker"),
                *arguments,
                stdin=sender.child_end.fileno(),
                stdout=PIPE,
                stderr=PIPE,
                env=environment() | _HEAPS,
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
        """Whether it runs, as far as is known."""
        return self._process.returncode is None

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
        """Close its input, wait for its end, and kill it if that takes too long."""
        try:
            async with asyncio.timeout(grace_s):
                self._input.close()
                await self._process.wait()
        except TimeoutError:
            log.warning("engine worker %s does not stop; killing it", self.pid)
        finally:
            await self.kill()

    async def kill(self) -> None:
        """Kill it and everything that it started or left behind, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._input.close()
        await self._process.wait()
        await asyncio.wait([self._errors])

    async def _epitaph(self) -> WorkerDied:
        """Describe how it ended; one that closed its pipe but lives on is killed."""
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
