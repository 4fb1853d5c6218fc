"""The available memory: the limit of the container, of the service or of the machine."""

from pathlib import Path

import pytest

from bot.engine.memory import memory_limit_mib


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"
MEMINFO = "MemTotal:        2048000 kB\nMemFree:          10 kB\n"


@pytest.mark.parametrize(
    ("files", "mib"),
    [
        ({}, None),
        ({"proc/meminfo": MEMINFO}, 2000),
        ({"proc/meminfo": MEMINFO, f"{V2}/memory.max": "max\n"}, 2000),
        ({"proc/meminfo": MEMINFO, f"{V2}/memory.max": "471859200\n"}, 450),
        ({"proc/meminfo": MEMINFO, f"{V1}/memory.limit_in_bytes": "9223372036854771712\n"}, 2000),
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/system.slice/stemcord.service\n",
                f"{V2}/system.slice/memory.max": "max\n",
                f"{V2}/system.slice/stemcord.service/memory.max": "471859200\n",
            },
            450,
        ),
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/system.slice/stemcord.service\n",
                f"{V2}/system.slice/memory.max": "471859200\n",
                f"{V2}/system.slice/stemcord.service/memory.max": "943718400\n",
            },
            450,
        ),
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "5:cpu,memory:/bots/one\n1:pids:/other\n",
                f"{V1}/bots/memory.limit_in_bytes": "471859200\n",
                f"{V1}/other/memory.limit_in_bytes": "1048576\n",
            },
            450,
        ),
    ],
)
def test_the_least_of_what_limits_it_counts(tmp_path: Path, files: dict[str, str], mib: int | None):
    assert memory_limit_mib(root=machine(tmp_path, files)) == mib
