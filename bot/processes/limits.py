"""Limits of one audio child, which it applies to itself (POSIX; the rest is Linux)."""

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

_NICENESS = 15
"""A weight of 36 in the scheduler, against the bot's 1,024."""
_DESCRIPTORS = 64
_CPU_GRACE_S = 5

MIB = 1024 * 1024
_USUAL_STACK_BYTES = 8 * MIB
_LARGEST_POOL = 17  # libavutil/slicethread.c and libavcodec/pthread.c: 16 when left to choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that one child may use."""

    cpu_s: int
    file_bytes: int
    thread_pools: int
    memory_bytes: int = 208 * MIB
    """Beyond what the process holds when it applies its limits."""
    niceness: int = 0
    """Beyond that of the process; 19 in all is the lowest priority."""

    @property
    def wall_s(self) -> float:
        """Wall time: children have low priority, and a separation may hold every core."""
        return 30.0 + 4.0 * self.cpu_s

    def apply(self) -> None:
        """Apply this budget to the calling process, permanently.

        Memory is limited by RLIMIT_DATA, not RLIMIT_AS: libraries map hundreds of megabytes of
        address space that they never touch, while private writable memory is what a hostile file
        can make grow. Thread stacks count in full there, though hardly touched. What a forked child
        inherits from its parent counts too, so it is added to its budget.
        """
        os.nice(self.niceness)
        most = _held_bytes() + self.memory_bytes + self.thread_pools * _pool_bytes()
        _cap(resource.RLIMIT_DATA, most)
        _cap(resource.RLIMIT_CPU, self.cpu_s, hard=self.cpu_s + _CPU_GRACE_S)
        _cap(resource.RLIMIT_FSIZE, self.file_bytes)
        _cap(resource.RLIMIT_NOFILE, _DESCRIPTORS)
        _cap(resource.RLIMIT_CORE, 0)


def _pool_bytes() -> int:
    """Return the stack size of one of FFmpeg's thread pools: one thread per core, plus one."""
    stack_bytes = resource.getrlimit(resource.RLIMIT_STACK)[0]
    if stack_bytes == resource.RLIM_INFINITY:
        stack_bytes = _USUAL_STACK_BYTES
    return min((os.cpu_count() or 1) + 1, _LARGEST_POOL) * stack_bytes


def _held_bytes() -> int:
    """Return the private writable memory of this process, as RLIMIT_DATA counts it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmData:")[1].split()[0]) * 1024


def come_last() -> None:
    """Leave the CPU to the bot, which has three seconds to answer Discord.

    A separation and the decoders get the same share, so neither starves the other. Callers stay in
    the bot's session: where the kernel groups processes by session (sched(7), autogroup),
    priorities count only within one.
    """
    os.nice(_NICENESS)
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _cap(limit: int, soft: int, *, hard: int | None = None) -> None:
    """Set a limit, but never above this process's own."""
    ceiling = resource.getrlimit(limit)[1]
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted = min(soft, ceiling), min(wanted, ceiling)
    resource.setrlimit(limit, (soft, wanted))
