"""Measures a job's CPU time by step, for the bot and its child processes, on Linux.

The bot is recognized by its process id, the engine's worker by its command line, and an audio child
by its open files. Nothing is measured inside the bot, so the figures hold for normal operation.
Seeing another user's open files requires root.
"""

import asyncio
import contextlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

_EVERY_S = 0.025
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Part(StrEnum):
    """A step of a job, in order."""

    DOWNLOAD = "download"
    DECODE = "decode"
    SEPARATE = "separate"
    COMBINE = "combine, masters"
    ENCODE = "encode"
    PICTURE = "picture"
    UPLOAD = "upload"
    BOT = "the bot between these"
    OTHER = "other children"
    """CPU time of children with no recognized task, and of others after the last sample."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one step. Steps overlap, so their wall times add up to more than the job's."""

    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True)
class _Stat:
    """A process's CPU time, and that of the children it has waited for."""

    parent: int
    own_s: float
    reaped_s: float


@dataclass(slots=True)
class _Watched:
    """The latest observation of one of the bot's processes."""

    began_with_s: float
    since: float
    until: float
    clue: int
    cpu_s: float = 0.0
    peak_mib: float = 0.0

    @property
    def part(self) -> Part | None:
        """The step that the process works on; None for the bot, or if not yet known."""
        return _CLUES[self.clue][1] if self.clue < _NONE else None


class Meter:
    """Samples a bot and its descendants during a block. `costs` returns the figures afterwards."""

    def __init__(self, bot_pid: int) -> None:
        self._bot_pid = bot_pid
        self._watched: dict[int, _Watched] = {}
        self._strangers: set[int] = set()
        self._bot_cpu_s: list[tuple[float, float]] = []
        self._begun_at = self._ended_at = 0.0
        self._total_s = 0.0

    async def __aenter__(self) -> Self:
        self._begun_at = time.monotonic()
        self._total_s = -self._look()
        for process in self._watched.values():
            process.began_with_s, process.cpu_s = process.cpu_s, 0.0
        self._bot_cpu_s = [(self._begun_at, 0.0)]
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self._ended_at = time.monotonic()
        self._total_s += self._look()

    @property
    def wall_s(self) -> float:
        """The duration of the block in seconds."""
        return self._ended_at - self._begun_at

    @property
    def cpu_s(self) -> float:
        """All CPU time in the block, including that of children too short-lived to be seen."""
        return self._total_s

    @property
    def bot_mib(self) -> float:
        """The bot's peak memory in MiB."""
        return self._watched[self._bot_pid].peak_mib

    @property
    def worker_mib(self) -> float:
        """The engine worker's peak memory in MiB."""
        workers = (each for each in self._watched.values() if each.part is Part.SEPARATE)
        return max((each.peak_mib for each in workers), default=0.0)

    def costs(self) -> Mapping[Part, Cost]:
        """Return the cost of each step."""
        by_part: dict[Part, list[_Watched]] = defaultdict(list)
        for pid, process in self._watched.items():
            if pid != self._bot_pid:
                by_part[process.part or Part.OTHER].append(process)
        costs = {part: _cost(processes) for part, processes in by_part.items()}
        costs |= self._bot_costs([each for each in self._watched.values() if each.part])
        seen_s = sum(cost.cpu_s for part, cost in costs.items() if part is not Part.OTHER)
        costs[Part.OTHER] = Cost(max(0.0, self._total_s - seen_s), 0.0)
        return {part: costs[part] for part in Part if part in costs}

    def _bot_costs(self, children: Iterable[_Watched]) -> dict[Part, Cost]:
        """Split the bot's own time at the first child's start and the last child's end."""
        first = min((each.since for each in children), default=self._ended_at)
        last = max((each.until for each in children), default=self._ended_at)
        down_s = max(cpu_s for at, cpu_s in self._bot_cpu_s if at <= first)
        up_from_s = max(cpu_s for at, cpu_s in self._bot_cpu_s if at <= last)
        all_s = self._bot_cpu_s[-1][1]
        return {
            Part.DOWNLOAD: Cost(down_s, first - self._begun_at),
            Part.UPLOAD: Cost(all_s - up_from_s, self._ended_at - last),
            Part.BOT: Cost(up_from_s - down_s, self.wall_s),
        }

    async def _follow(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(_EVERY_S)

    def _look(self) -> float:
        """Take a sample, and return the CPU time of all processes so far, ended ones included."""
        self._find()
        now, total_s = time.monotonic(), 0.0
        for pid, process in self._watched.items():
            if (stat := _stat(pid)) is None:
                continue
            total_s += stat.own_s + stat.reaped_s
            cpu_s = stat.own_s - process.began_with_s
            if cpu_s > process.cpu_s:
                process.cpu_s, process.until = cpu_s, now
                process.peak_mib = max(process.peak_mib, _peak_mib(pid))
            if pid == self._bot_pid:
                self._bot_cpu_s.append((now, cpu_s))
            else:
                process.clue = min(process.clue, _clue(pid))
        return total_s

    def _find(self) -> None:
        """Add new processes in the tree. Ids increase, so parents come first."""
        now = time.monotonic()
        ids = {int(each.name) for each in _PROC.iterdir() if each.name.isdecimal()}
        for pid in sorted(ids - self._watched.keys() - self._strangers):
            stat = _stat(pid)
            if pid == self._bot_pid or (stat and stat.parent in self._watched):
                self._watched[pid] = _Watched(began_with_s=0.0, since=now, until=now, clue=_NONE)
            else:
                self._strangers.add(pid)


def _peak_mib(pid: int) -> float:
    """Return a process's peak resident memory in MiB, or 0 if it has ended."""
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024 if "VmHWM:" in status else 0.0


def _cost(processes: Iterable[_Watched]) -> Cost:
    processes = list(processes)
    since, until = (min(each.since for each in processes), max(each.until for each in processes))
    return Cost(sum(each.cpu_s for each in processes), until - since)


def _stat(pid: int) -> _Stat | None:
    """Parse proc_pid_stat(5). The second field, the command's name, may contain anything."""
    with contextlib.suppress(OSError):
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        user, system, reaped_user, reaped_system = (int(each) * _TICK_S for each in fields[11:15])
        return _Stat(int(fields[1]), user + system, reaped_user + reaped_system)
    return None


def _clue(pid: int) -> int:
    """Return the index of the first clue that a process currently gives, or the number of clues."""
    with contextlib.suppress(OSError):
        command = (_PROC / str(pid) / "cmdline").read_text().replace("\0", " ")
        files = [str(link.readlink()) for link in (_PROC / str(pid) / "fd").iterdir()]
        return next(
            (n for n, (clue, _) in enumerate(_CLUES) if _given(clue, command, files)), _NONE
        )
    return _NONE


def _given(clue: re.Pattern[str], command: str, files: Iterable[str]) -> bool:
    return any(clue.search(text) for text in (command, *files))


_CLUES = (
    (re.compile(r" bot\.engine\.worker "), Part.SEPARATE),
    (re.compile(r"/mixture\.f32\.part$|/input$"), Part.DECODE),
    (re.compile(r"/masters/[^/]+\.part$"), Part.COMBINE),
    (re.compile(r"\.png\.part$"), Part.PICTURE),
    (re.compile(r"/(parcel|linked)/.+\.part$"), Part.ENCODE),
    (re.compile(r"\.f32$"), Part.COMBINE),
    (re.compile(r"/masters/[^/]+$"), Part.PICTURE),
)
"""Clues in a process's command or open files, most reliable first: files written before files read.

An encoder also reads a master, but nearly always has an output file open.
"""
_NONE = len(_CLUES)
