"""The memory that this process may use."""

from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/proc/self/cgroup")
_LIMITS = (
    ("", Path("/sys/fs/cgroup"), "memory.max"),
    ("memory", Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
)
"""The controllers, folders and files of both versions of cgroups."""
_MACHINE = Path("/proc/meminfo")
_MIB = 2**20


def memory_limit_mib(*, root: Path = Path("/")) -> int | None:
    """Return the memory limit of the container, the service or the machine, whichever is lowest;
    None if unknown.
    """
    limits = [*_group_bytes(root), *_machine_bytes(root)]
    return min(limits) // _MIB if limits else None


def _group_bytes(root: Path) -> list[int]:
    texts = (_read(path) for path in _limit_files(root))
    return [int(text) for text in texts if text.isdecimal()]  # `max` means no limit


def _limit_files(root: Path) -> Iterator[Path]:
    """Yield the files with the limits of this process's control groups and all above them."""
    groups = [line.split(":", 2)[1:] for line in _read(_below(root, _GROUPS)).splitlines()]
    for controller, home, name in _LIMITS:
        yield _below(root, home) / name
        for controllers, group in groups:
            if controller in controllers.split(","):
                parts = Path(group).parts[1:]
                for depth in range(1, len(parts) + 1):
                    yield _below(root, home).joinpath(*parts[:depth], name)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _machine_bytes(root: Path) -> list[int]:
    for line in _read(_below(root, _MACHINE)).splitlines():
        name, _, amount = line.partition(":")
        if name == "MemTotal":
            return [int(amount.split()[0]) * 1024]
    return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
