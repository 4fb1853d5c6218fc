"""Watches this process's grandchildren, which do audio tasks: CPU time and peak memory (Linux)."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_EVERY_S = 0.02
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Watch:
    """The resources that the children have used so far."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        self._cpu_s: dict[int, float] = {}

    @property
    def cpu_s(self) -> float:
        return sum(self._cpu_s.values())

    def look(self) -> None:
        """Record the figures of all running grandchildren."""
        for pid in (each for child in _children(os.getpid()) for each in _children(child)):
            with contextlib.suppress(OSError, IndexError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                self._cpu_s[pid] = (int(fields[11]) + int(fields[12])) * _TICK_S
                status = Path(f"/proc/{pid}/status").read_text()
                peak_mib = int(status.split("VmHWM:")[1].split()[0]) / 1024
                self.peak_mib = max(self.peak_mib, peak_mib)


@asynccontextmanager
async def watched() -> AsyncIterator[Watch]:
    """Watch for as long as the block lasts."""
    watch = Watch()

    async def follow() -> None:
        while True:
            watch.look()
            await asyncio.sleep(_EVERY_S)

    task = asyncio.create_task(follow())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait([task])


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found |= {int(each) for each in (task / "children").read_text().split()}
    return found
