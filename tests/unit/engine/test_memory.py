"""The available memory: the container's limit or the machine's."""

from pathlib import Path

import pytest

from bot.engine.memory import memory_limit_mib


def machine(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MEMINFO = "MemTotal:        2048000 kB\nMemFree:          10 kB\n"


@pytest.mark.parametrize(
    ("files", "mib"),
    [
        ({}, None),
        ({"proc__meminfo": MEMINFO}, 2000),
        ({"proc__meminfo": MEMINFO, "sys__fs__cgroup__memory_dot_max": "max\n"}, 2000),
        ({"proc__meminfo": MEMINFO, "sys__fs__cgroup__memory_dot_max": "471859200\n"}, 450),
        (
            {
                "proc__meminfo": MEMINFO,
                "sys__fs__cgroup__memory__memory_dot_limit_in_bytes": "9223372036854771712\n",
            },
            2000,
        ),
    ],
)
def test_the_least_of_what_limits_it_counts(tmp_path: Path, files: dict[str, str], mib: int | None):
    assert memory_limit_mib(root=machine(tmp_path, **files)) == mib
