"""Information on a bot's child processes, read from /proc."""

import os
from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the direct children of a process."""
    try:
        return [int(child) for child in _of(pid, f"task/{pid}/children").split()]
    except FileNotFoundError:
        return []


def command(pid: int) -> str:
    """Return a process's command line, empty if it has ended."""
    try:
        return _of(pid, "cmdline").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def peak_mib(pid: int) -> float:
    """Return a process's peak resident memory in MiB, without its children."""
    [peak] = [line.split()[1] for line in _of(pid, "status").splitlines() if "VmHWM" in line]
    return int(peak) / 1024


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, 0 if it has ended."""
    try:
        ticks = _of(pid, "stat").rpartition(")")[2].split()[11:13]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _of(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()
