"""What one audio child may use, and how it binds itself to that (POSIX; the rest is Linux)."""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

_NICENESS = 5
_DESCRIPTORS = 64
_CPU_GRACE_S = 5
_PR_SET_PDEATHSIG = 1

MIB = 1024 * 1024
_USUAL_STACK_BYTES = 8 * MIB
_LARGEST_POOL = 17  # libavutil/slicethread.c and libavcodec/pthread.c: 16 when left to choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that one child may use before the kernel stops it."""

    cpu_s: int
    file_bytes: int
    thread_pools: int
    memory_bytes: int = 256 * MIB

    @property
    def wall_s(self) -> float:
        """Time on the clock: children are nice, and a separation may hold every core."""
        return 30.0 + 4.0 * self.cpu_s

    def apply(self) -> None:
        """Bind the calling process to this budget, for good.

        Memory is limited by RLIMIT_DATA, not RLIMIT_AS: libraries map hundreds of megabytes of
        address space that they never touch, while private writable memory is what a hostile file
        can make grow. Stacks of threads are counted in full there, though hardly touched.
        """
        os.nice(_NICENESS)
        _cap(resource.RLIMIT_DATA, self.memory_bytes + self.thread_pools * _pool_bytes())
        _cap(resource.RLIMIT_CPU, self.cpu_s, hard=self.cpu_s + _CPU_GRACE_S)
        _cap(resource.RLIMIT_FSIZE, self.file_bytes)
        _cap(resource.RLIMIT_NOFILE, _DESCRIPTORS)
        _cap(resource.RLIMIT_CORE, 0)


def _pool_bytes() -> int:
    """Return what the stacks of one of FFmpeg's thread pools take: a thread a core, and one."""
    stack_bytes = resource.getrlimit(resource.RLIMIT_STACK)[0]
    if stack_bytes == resource.RLIM_INFINITY:
        stack_bytes = _USUAL_STACK_BYTES
    return min((os.cpu_count() or 1) + 1, _LARGEST_POOL) * stack_bytes


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _cap(limit: int, soft: int, *, hard: int | None = None) -> None:
    """Set a limit, but never above what this process was given itself."""
    ceiling = resource.getrlimit(limit)[1]
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted = min(soft, ceiling), min(wanted, ceiling)
    resource.setrlimit(limit, (soft, wanted))
