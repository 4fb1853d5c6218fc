"""Limits of real processes."""

import signal
import subprocess
import sys

import pytest

from bot.processes import spawn

APPLY = (
    "from bot.processes.limits import Budget\n"
    "Budget(cpu_s=1, file_bytes=1000, thread_pools=0, memory_bytes=64 << 20).apply()\n"
)


def run_limited(code):
    return subprocess.run(
        [sys.executable, "-P", "-c", APPLY + code],
        env=spawn.environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_memory_beyond_the_budget_is_refused():
    assert run_limited("bytearray(16 << 20)").returncode == 0
    assert "MemoryError" in run_limited("bytearray(80 << 20)").stderr


@pytest.mark.slow
def test_a_child_that_computes_for_too_long_is_killed():
    assert run_limited("while True: pass").returncode == -signal.SIGXCPU


def test_a_file_beyond_the_budget_is_refused(tmp_path):
    path = tmp_path / "big"
    ended = run_limited(f"import pathlib; pathlib.Path({str(path)!r}).write_bytes(bytes(5000))")
    assert "OSError" in ended.stderr
    assert path.stat().st_size <= 1000


def test_descriptors_are_few():
    assert (
        "Too many open files"
        in run_limited("import os\nfor _ in range(100): os.open('/dev/null', os.O_RDONLY)").stderr
    )


def test_a_budget_never_asks_for_more_than_is_given():
    code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n" + APPLY
    ended = run_limited(code + "print(resource.getrlimit(resource.RLIMIT_NOFILE))")
    assert ended.stdout.strip() == "(20, 20)", ended.stderr
