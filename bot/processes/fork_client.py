"""The bot's side of a fork server: starts it on demand, and runs one child per task."""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO

from bot.processes import ipc
from bot.processes.descriptors import Closing, Sender
from bot.processes.fork_messages import (
    Ended,
    Kill,
    Ready,
    Refused,
    Reply,
    Start,
)

log = logging.getLogger(__name__)

_MOST_OUTPUT_BYTES = ipc.MOST_LINE_BYTES
_CHUNK_BYTES = 64 * 1024
_START_S = 60.0
_GRACE_S = 2.0
_LAST_WORDS_S = 1.0


class ServerDied(Exception):
    """The fork server is gone or misbehaves; its children are gone with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a child ended: its exit status (negative for a signal) and its output, up to a limit."""

    status: int
    output: bytes
    errors: str


class ForkServer:
    """Runs tasks in children of a process with preloaded libraries, replacing it if it dies."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment
        self._turn = asyncio.Lock()
        self._server: _Server | None = None
        self._is_closed = False

    async def run(self, task: str, *, wall_s: float) -> Outcome:
        """Run the task in a child and wait for its end.

        Raises TimeoutError after `wall_s`, OSError if the system cannot provide a server, pipe or
        child, MalformedMessage for a task that is too long, and ServerDied. Even if this call fails
        or is cancelled, the child and its process group are gone when it ends.
        """
        server = await self._living_server()
        with _Pipe() as output, _Pipe() as errors:
            child = await server.start(task, [output.child_end, errors.child_end])
            try:
                for pipe in (output, errors):
                    await pipe.open()
                async with asyncio.timeout(wall_s):
                    status = await child.ended()
                for pipe in (output, errors):
                    await pipe.whole()
            finally:
                await child.stop()
            return Outcome(
                status=status,
                output=bytes(output.heard),
                errors=errors.heard.decode(errors="replace"),
            )

    async def close(self) -> None:
        """End the server and its children, and refuse further tasks; tasks under way fail."""
        self._is_closed = True
        async with self._turn:
            if self._server is not None:
                await self._server.close()

    async def _living_server(self) -> "_Server":
        async with self._turn:
            if self._is_closed:
                raise ServerDied("the fork server is closed")
            if self._server is None or not self._server.is_alive:
                if self._server is not None:
                    await self._server.close()
                self._server = await _Server.begin(self._command, self._environment)
            return self._server


class _Server:
    """A server process; create one with `begin`."""

    def __init__(self, process: Process, sender: Sender) -> None:
        self._process = process
        self._sender = sender
        self._ids = itertools.count(1)
        self._children: dict[int, asyncio.Future[Ended | Refused | None]] = {}
        self._listening: list[asyncio.Task[None]] = []
        self.is_alive = True

    @classmethod
    async def begin(cls, command: Sequence[str], environment: Mapping[str, str]) -> "_Server":
        """Start a server and wait until it is ready; raises OSError or ServerDied."""
        sender = Sender()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=sender.child_end.fileno(),
                stdout=PIPE,
                stderr=PIPE,
                env=environment,
                process_group=0,
                limit=ipc.MOST_LINE_BYTES,
            )
        except BaseException:
            sender.close()
            raise
        sender.child_end.close()
        server = cls(process, sender)
        try:
            await server._get_ready()
        except BaseException:
            server.kill()
            await server.close()
            raise
        log.info("fork server %s started", process.pid)
        return server

    async def start(self, task: str, pipes: Sequence[int]) -> "_Child":
        """Fork a child that writes to the pipes; raises ServerDied or MalformedMessage."""
        child = _Child(self, next(self._ids))
        line = ipc.encode(Start(id=child.id, task=task))
        self._children[child.id] = child.end
        try:
            await self._send(line, pipes)
        except BaseException:
            del self._children[child.id]
            self.kill()  # the server may have received half of the request
            raise
        return child

    async def send_kill(self, child: "_Child") -> None:
        """Have a child killed; raises ServerDied."""
        await self._send(ipc.encode(Kill(id=child.id)))

    async def _send(self, line: bytes, files: Sequence[int] = ()) -> None:
        try:
            await self._sender.send(line, files)
        except (BrokenPipeError, ConnectionResetError) as exc:
            raise ServerDied("the fork server does not listen") from exc

    def kill(self) -> None:
        """Kill the server, and its children with it."""
        self.is_alive = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Close the server's input; kill the server if that does not end it."""
        self.is_alive = False
        self._sender.close()
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            log.warning("fork server %s does not stop; killing it", self._process.pid)
        finally:
            self.kill()
            await self._process.wait()
            if self._listening:
                await asyncio.wait(self._listening)

    async def _get_ready(self) -> None:
        replies, errors = self._process.stdout, self._process.stderr
        if replies is None or errors is None:
            raise ServerDied("the fork server was started without pipes")
        self._listening.append(asyncio.create_task(self._log(errors)))
        try:
            async with asyncio.timeout(_START_S):
                reply = await _receive(replies)
        except TimeoutError as exc:
            raise ServerDied(f"the fork server was not ready within {_START_S:.0f} s") from exc
        if reply is None:
            status = await self._process.wait()
            raise ServerDied(f"the fork server ended with status {status} before it was ready")
        if not isinstance(reply, Ready):
            raise ServerDied("the fork server did not report that it is ready")
        self._listening.append(asyncio.create_task(self._listen(replies)))

    async def _listen(self, replies: asyncio.StreamReader) -> None:
        try:
            while reply := await _receive(replies):
                match reply:
                    case Ended() | Refused() as end:
                        if (child := self._children.pop(end.id, None)) is not None:
                            child.set_result(end)
                    case Ready():
                        log.warning(
                            "fork server %s reported twice that it is ready", self._process.pid
                        )
        except ServerDied as exc:
            log.error("fork server %s: %s", self._process.pid, exc)  # noqa: TRY400 - the message is complete without a traceback
        finally:
            self.kill()
            for child in self._children.values():
                child.set_result(None)
            self._children.clear()

    async def _log(self, errors: asyncio.StreamReader) -> None:
        while chunk := await errors.read(_CHUNK_BYTES):
            text = chunk.decode(errors="replace").rstrip()
            log.warning("fork server %s: %s", self._process.pid, text)


class _Child:
    """The child of one task."""

    def __init__(self, server: _Server, number: int) -> None:
        self.id = number
        self.end: asyncio.Future[Ended | Refused | None]
        self.end = asyncio.get_running_loop().create_future()
        self._server = server

    async def ended(self) -> int:
        """Wait for the child's end and return its status; raises OSError if it could not be
        forked.
        """
        match await asyncio.shield(self.end):
            case Ended(status=status):
                return status
            case Refused(error=error):
                raise OSError(error, os.strerror(error))
            case None:
                raise ServerDied("the fork server died")

    async def stop(self) -> None:
        """Kill the child unless it has ended, and wait until it is gone."""
        if self.end.done():
            return
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._server.send_kill(self)
                await asyncio.shield(self.end)
        except (TimeoutError, ServerDied):
            self._server.kill()
            await asyncio.shield(self.end)


class _Pipe(Closing):
    """Reads one output of a child; use as a context manager."""

    def __init__(self) -> None:
        self.heard = bytearray()
        """The output received so far, up to the limit."""
        self._own_end, self.child_end = os.pipe()
        self._transport: asyncio.BaseTransport | None = None
        self._hearing: asyncio.Task[None] | None = None

    def close(self) -> None:
        self._close_child_end()
        if self._hearing is not None:
            self._hearing.cancel()
        if self._transport is not None:
            self._transport.close()
        else:
            os.close(self._own_end)

    async def open(self) -> None:
        """Start reading, now that the child has its end of the pipe."""
        self._close_child_end()
        reader = asyncio.StreamReader()
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader),
            FileIO(self._own_end, "rb"),  # the transport closes it
        )
        self._hearing = asyncio.create_task(self._hear(reader))

    async def whole(self) -> None:
        """Wait briefly for the rest of the output.

        The pipe may stay open longer than the child, if a process that left the child's group holds
        it.
        """
        if self._hearing is not None:
            await asyncio.wait([self._hearing], timeout=_LAST_WORDS_S)

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        """Read up to the end, so that the child never blocks, but keep only the first bytes."""
        while chunk := await reader.read(_CHUNK_BYTES):
            self.heard += chunk[: _MOST_OUTPUT_BYTES - len(self.heard)]

    def _close_child_end(self) -> None:
        if self.child_end >= 0:
            os.close(self.child_end)
            self.child_end = -1


async def _receive(replies: asyncio.StreamReader) -> Reply | None:
    try:
        reply: Reply | None = await ipc.receive(replies, Reply)
    except ipc.MalformedMessage as exc:
        raise ServerDied(str(exc)) from exc
    return reply
