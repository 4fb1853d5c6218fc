"""Run one short-lived child: a line in, what it prints out, and no trace of it afterwards."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_Pipe = TypeVar("_Pipe", asyncio.StreamReader, asyncio.StreamWriter)

_ROOT = str(Path(__file__).resolve().parents[2])
_PASSED_ON = ("PATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
_MOST_OUTPUT_BYTES = 256 * 1024
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildExit:
    """How a child ended: exit status (negative for a signal) and what it printed, capped."""

    status: int
    output: bytes
    errors: str


def module_command(module: str) -> tuple[str, ...]:
    """Return the command that runs a module of this code base, wherever the bot was started."""
    return (sys.executable, "-P", "-m", module)


async def run(command: Sequence[str], *, line: bytes, wall_s: float) -> ChildExit:
    """Start the command, hand it the line, and wait for its end.

    Raises TimeoutError after `wall_s`. However this call ends, by an error or a cancellation too,
    the child and its process group are gone when it returns.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(wall_s):
            return await _talk(process, line)
    finally:
        await _end(process)


async def _talk(process: asyncio.subprocess.Process, line: bytes) -> ChildExit:
    async with asyncio.TaskGroup() as pipes:
        pipes.create_task(_say(require_pipe(process.stdin), line))
        output = pipes.create_task(_hear(require_pipe(process.stdout)))
        errors = pipes.create_task(_hear(require_pipe(process.stderr)))
    status = await process.wait()
    return ChildExit(
        status=status, output=output.result(), errors=errors.result().decode(errors="replace")
    )


def require_pipe(pipe: _Pipe | None) -> _Pipe:
    """Return a pipe that the child was started with."""
    if pipe is None:
        raise ValueError("the child was started without this pipe")
    return pipe


async def _say(pipe: asyncio.StreamWriter, line: bytes) -> None:
    # A child that ends without reading says why by its exit status.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(line)
        await pipe.drain()
    pipe.close()


async def _hear(pipe: asyncio.StreamReader) -> bytes:
    """Read to the end, so that the child never blocks, but keep no more than the cap."""
    heard = bytearray()
    while chunk := await pipe.read(_CHUNK_BYTES):
        heard += chunk[: _MOST_OUTPUT_BYTES - len(heard)]
    return bytes(heard)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def environment() -> dict[str, str]:
    """Return what a child needs to start: no settings, no secrets, one thread a library."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [_ROOT] + [str(Path(path).resolve()) for path in inherited if path]
    return passed_on | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
