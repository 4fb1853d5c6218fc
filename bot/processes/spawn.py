"""The command and the environment with which the bot starts its child processes."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TypeVar

_Pipe = TypeVar("_Pipe", asyncio.StreamReader, asyncio.StreamWriter)

_ROOT = str(Path(__file__).resolve().parents[2])
_PASSED_ON = ("PATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL")


def module_command(module: str) -> tuple[str, ...]:
    """Return the command that runs a module of this code base; it works from any directory."""
    return (sys.executable, "-P", "-m", module)


def require_pipe(pipe: _Pipe | None) -> _Pipe:
    """Return a pipe of a child; raises ValueError if the child was started without it."""
    if pipe is None:
        raise ValueError("the child was started without this pipe")
    return pipe


def environment() -> dict[str, str]:
    """Return a child's environment: no settings, no secrets, and one thread per library."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [_ROOT] + [str(Path(path).resolve()) for path in inherited if path]
    return passed_on | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }
