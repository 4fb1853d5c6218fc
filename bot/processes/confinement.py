"""Confines processes that read untrusted audio, in case such a file takes them over.

A confined process can use only the files of its task. It cannot open sockets, start programs or
processes, signal others, or outlive its parent. Landlock restricts access to files, and a system
call filter blocks most of the rest. Protections that the kernel lacks are skipped and listed by
`missing_protections`. Limits on memory and time are in limits.py.
"""

import functools
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.processes import kernel, landlock, seccomp
from bot.processes.landlock import READ, WRITE, Access

_ROOT = Path(__file__).resolve().parents[2]
_CODE = tuple(_ROOT / name for name in ("bot", "storage"))
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_ABOUT_THE_MACHINE = (
    "/proc/cpuinfo", "/proc/meminfo", "/sys/devices", "/sys/bus/pci", "/sys/class/drm"
)  # fmt: skip
_GPU_DEVICES = ("nvidia*", "kfd", "dri/renderD*")
_ABOUT_GPUS = ("/proc/driver/nvidia", "/proc/devices", "/proc/modules", "/proc/self", "/sys/module",
               "/sys/class/kfd", "/dev/urandom")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The files and folders that a confined process may use, besides its code and libraries."""

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    caches: tuple[Path, ...] = ()
    """Folders in which it may also create folders."""
    has_gpu: bool = False
    """Whether it may use graphics cards, whose drivers are then open to a hostile file."""


def hide_memory() -> None:
    """Keep other processes of the same user from reading this one's memory and environment."""
    if sys.platform == "linux":
        kernel.hide_memory()


def confine(reach: Reach) -> None:
    """Confine the calling process to the files in `reach`, permanently.

    Call it before any second thread runs, including those of libraries, because Landlock applies to
    one thread and those that it starts. Raises OSError if the kernel refuses what it claims to
    support.
    """
    if sys.platform != "linux":
        return
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError("a process is confined before it starts threads")
    kernel.hide_memory()
    kernel.gain_no_privileges()
    if abi := landlock.version():
        landlock.restrict(abi, _rules(reach))
    if seccomp.is_available():
        seccomp.install(may_fork=False)


def confine_parent() -> None:
    """Confine a process that only forks others: no sockets, and no programs.

    Its files are not limited, because its children would inherit the limit.
    """
    if sys.platform != "linux":
        return
    kernel.hide_memory()
    kernel.gain_no_privileges()
    _code_and_libraries()  # cached now, for all children
    if seccomp.is_available():
        seccomp.install(may_fork=True)


def missing_protections() -> list[str]:
    """Return descriptions of the protections that this system lacks."""
    if sys.platform != "linux":
        return [f"anything that the bot may do itself ({sys.platform} has neither kind of limit)"]
    abi = landlock.version()
    missing = []
    if not abi:
        missing.append("the files of the bot and of other songs (Landlock, Linux 5.13)")
    elif not landlock.limits_tcp(abi) and not seccomp.is_available():
        missing.append("TCP (Landlock's version 4, Linux 6.7)")
    if not seccomp.is_available():
        missing.append("sockets, programs and other processes (seccomp, x86-64 or AArch64)")
    return missing


def _rules(reach: Reach) -> Iterator[tuple[Path, Access]]:
    yield Path(os.devnull), READ | Access.WRITE_FILE
    for path in (*_code_and_libraries(), *reach.readable):
        yield path, READ
    for path in reach.writable:
        yield path, WRITE
    for path in reach.caches:
        yield path, WRITE | Access.MAKE_DIR | Access.REMOVE_DIR
    if reach.has_gpu:
        yield from _gpu_rules()


def _gpu_rules() -> Iterator[tuple[Path, Access]]:
    for pattern in _GPU_DEVICES:
        for path in Path("/dev").glob(pattern):
            yield path, READ | Access.WRITE_FILE | Access.IOCTL_DEV
    for name in _ABOUT_GPUS:
        yield Path(name), READ


@functools.cache
def _code_and_libraries() -> tuple[Path, ...]:
    """Return the paths that an interpreter reads at run time, without duplicates.

    Includes folders with modules, but none that contains this code base, because its settings and
    data may be there.
    """
    named = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    loader = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    folders = [path for path in (*named, *sys.path, *loader) if path]
    modules = [path for path in map(Path, folders) if not _ROOT.is_relative_to(path.resolve())]
    system = map(Path, (*_LIBRARIES, *_ABOUT_THE_MACHINE))
    return tuple(dict.fromkeys((*_CODE, *modules, *system)))
