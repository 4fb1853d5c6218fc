"""Limits that an audio child applies to itself (POSIX, and partly Linux only)."""

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

_NICENESS = 15
"""Gives a weight of 36 in the scheduler, compared with the bot's 1,024."""
_DESCRIPTORS = 64
_CPU_GRACE_S = 5

MIB = 1024 * 1024
_USUAL_STACK_BYTES = 8 * MIB
_LARGEST_POOL = 17  # 16 by default in libavutil/slicethread.c, libavcodec/pthread.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The maximum resources that one child may use."""

    cpu_s: int
    file_bytes: int
    thread_pools: int
    memory_bytes: int = 208 * MIB
    """The memory beyond what the process already holds when it applies its limits."""
    niceness: int = 0
    """Added to the process's own niceness; a sum of 19 is the lowest priority."""

    @property
    def wall_s(self) -> float:
        """The limit on wall time; generous, because a separation may occupy every core."""
        return 30.0 + 4.0 * self.cpu_s

    def apply(self) -> None:
        """Apply this budget to the calling process, permanently.

        Memory is limited with RLIMIT_DATA instead of RLIMIT_AS. Libraries map hundreds of megabytes
        of address space that they never touch, whereas a hostile file can only make private
        writable memory grow. Thread stacks count in full although they are hardly used. Memory
        inherited from the parent counts too, so it is added to the budget.
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
    """Return this process's private writable memory in bytes, as RLIMIT_DATA counts it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmData:")[1].split()[0]) * 1024


def come_last() -> None:
    """Lower the priority of this process, because the bot has to answer Discord within 3 s.

    Separation and decoders have the same priority, so neither starves the other. They stay in the
    bot's session: where the kernel groups processes by session (sched(7), autogroup), priorities
    count only within a session.
    """
    os.nice(_NICENESS)
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _cap(limit: int, soft: int, *, hard: int | None = None) -> None:
    """Set a limit, but never above the process's current one."""
    ceiling = resource.getrlimit(limit)[1]
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted = min(soft, ceiling), min(wanted, ceiling)
    resource.setrlimit(limit, (soft, wanted))
