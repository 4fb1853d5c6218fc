"""Examines another Python interpreter, which may fail, hang, flood its output or lie."""

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bot.processes import ipc
from bot.processes.spawn import foreign_command, foreign_environment

_MODULE = "bot.engine.hardware.interpreter_report"
LIMIT_S = 60.0
"""Long enough to import a runtime from a slow disk."""
_MOST_BYTES = 64 * 1024
_CHUNK_BYTES = 16 * 1024
_OLDEST = (3, 11)
GPU_PROVIDERS: Mapping[str, str] = {
    "CUDAExecutionProvider": "cuda",
    "MIGraphXExecutionProvider": "migraphx",
    "ROCMExecutionProvider": "rocm",
}
"""The providers of graphics cards that are tried, best first, and their devices' names."""


class InterpreterFailed(Exception):
    """The interpreter does not say what it has; the text is a phrase for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpreterReport:
    """What an interpreter reports about itself and its packages."""

    version: str
    runtimes: tuple[str, ...]
    """The distributions that contain onnxruntime. Two overwrite each other's files."""
    runtime_version: str
    providers: tuple[str, ...]
    torch: str
    problem: str

    @property
    def is_new_enough(self) -> bool:
        """Whether this code base runs under it."""
        parts = self.version.split(".")[:2]
        return all(part.isdecimal() for part in parts) and tuple(map(int, parts)) >= _OLDEST

    @property
    def gpu_provider(self) -> str | None:
        """The provider with which the engine can use a graphics card, if it is built in."""
        return next((name for name in GPU_PROVIDERS if name in self.providers), None)

    def trouble(self) -> str | None:
        """Return why the engine cannot use a graphics card with it, as a phrase, or None."""
        if not self.is_new_enough:
            return f"it is Python {self.version}, and 3.11 or newer is needed"
        if len(self.runtimes) > 1:
            return (
                f"{' and '.join(self.runtimes)} are both installed and overwrite each other's "
                "files; make a new environment with one of them"
            )
        return self.problem or None


def examine(python: Path, *, limit_s: float = LIMIT_S) -> InterpreterReport:
    """Ask the interpreter what it has; leaves no process behind. Raises InterpreterFailed."""
    with tempfile.TemporaryDirectory(prefix="stemcord-") as cache:
        command = foreign_command(python, _MODULE)
        environment = foreign_environment(threads=1, cache=Path(cache))
        line = _output(command, environment, limit_s=limit_s)
    try:
        report: InterpreterReport = ipc.decode(line, InterpreterReport)
    except ipc.MalformedMessage as exc:
        raise InterpreterFailed(f"its answer is not understood ({exc})") from exc
    return report


def _output(command: Sequence[str], environment: Mapping[str, str], *, limit_s: float) -> bytes:
    """Run a command in its own process group, and return what it printed."""
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    except OSError as exc:
        raise InterpreterFailed(f"it cannot be started ({exc.strerror})") from exc
    with process:
        try:
            printed = _read(process.stdout, until=time.monotonic() + limit_s)
            status = process.wait(timeout=limit_s)
        except (TimeoutError, subprocess.TimeoutExpired):
            raise InterpreterFailed(f"it does not answer within {limit_s:.0f} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if status != 0:
        raise InterpreterFailed(f"it ends with status {status}")
    return printed


def _read(pipe: IO[bytes] | None, *, until: float) -> bytes:
    """Return all output up to its end; raises TimeoutError and InterpreterFailed."""
    if pipe is None:
        raise ValueError("the process has no pipe")
    read = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if not selector.select(max(until - time.monotonic(), 0)):
                raise TimeoutError
            chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
            if not chunk:
                return read
            read += chunk
            if len(read) > _MOST_BYTES:
                raise InterpreterFailed("it floods its output")
