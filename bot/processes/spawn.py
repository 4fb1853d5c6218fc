"""The command and the environment with which the bot starts its child processes."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TypeVar

_Pipe = TypeVar("_Pipe", asyncio.StreamReader, asyncio.StreamWriter)

_ROOT = str(Path(__file__).resolve().parents[2])
_OF_THE_SYSTEM = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
_PASSED_ON = (*_OF_THE_SYSTEM, "PYTHONHOME", "VIRTUAL_ENV")
_OF_GPUS = (
    "CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION",
)  # fmt: skip
_CACHES = ("HOME", "XDG_CACHE_HOME", "CUDA_CACHE_PATH", "TRITON_CACHE_DIR")


def module_command(module: str) -> tuple[str, ...]:
    """Return the command that runs a module of this code base; it works from any directory."""
    return (sys.executable, "-P", "-m", module)


def foreign_command(python: Path, module: str) -> tuple[str, ...]:
    """Return the command that runs a module of this code base under another interpreter.

    The module can import that interpreter's packages, `bot` and `storage`, but nothing installed
    beside these two.
    """
    return (str(python), "-I", str(Path(__file__).with_name("foreign.py")), module)


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


def foreign_environment(*, threads: int, cache: Path) -> dict[str, str]:
    """Return the environment of a child under another interpreter.

    It says which graphics cards to use. Libraries keep their compiled code in `cache`.
    """
    names = (*_OF_THE_SYSTEM, *_OF_GPUS)
    passed_on = {name: os.environ[name] for name in names if name in os.environ}
    return (
        passed_on
        | dict.fromkeys(_CACHES, str(cache))
        | {
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": str(threads),
            "ORT_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "1",
            "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
            # Its cache could contain code that an earlier, taken-over process left there.
            "NUMBA_DISABLE_JIT": "1",
        }
    )
