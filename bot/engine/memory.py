"""The memory that this process may use."""

from pathlib import Path

_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_MACHINE = Path("/proc/meminfo")
_MIB = 2**20


def memory_limit_mib(*, root: Path = Path("/")) -> int | None:
    """Return the memory limit of the container or the machine, whichever is lower; None if
    unknown.
    """
    limits = [*_container_bytes(root), *_machine_bytes(root)]
    return min(limits) // _MIB if limits else None


def _container_bytes(root: Path) -> list[int]:
    texts = (_read(root / path.relative_to("/")) for path in _CGROUP_LIMITS)
    return [int(text) for text in texts if text.isdecimal()]  # `max` means no limit


def _machine_bytes(root: Path) -> list[int]:
    for line in _read(root / _MACHINE.relative_to("/")).splitlines():
        name, _, amount = line.partition(":")
        if name == "MemTotal":
            return [int(amount.split()[0]) * 1024]
    return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
