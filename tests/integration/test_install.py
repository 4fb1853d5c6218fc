"""Installing on an unsupported system prints one line before pip starts, and no traceback."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINUX = {"uname": "case $1 in -s) echo Linux;; -m) echo x86_64;; esac", "getconf": "echo 64"}


def install_with(folder: Path, programs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the script with these programs first on PATH."""
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", ROOT / "requirements" / "install.sh", "run"],
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("programs", "words"),
    [
        ({"uname": "echo MINGW64_NT-10.0"}, "runs on Linux and macOS, not on MINGW64_NT-10.0"),
        (
            {"uname": "case $1 in -s) echo Linux;; -m) echo armv7l;; esac"},
            "needs a 64-bit x86 or ARM system; this one is armv7l",
        ),
        ({"getconf": "echo 32"}, "needs a 64-bit system"),
        ({"ldd": "echo 'musl libc (x86_64)' >&2; exit 1"}, "needs glibc, and this system has musl"),
    ],
)
def test_system_that_cannot_run_it_is_one_line_before_pip_starts(
    tmp_path: Path, programs: dict[str, str], words: str
):
    done = install_with(tmp_path, LINUX | programs)

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"stemcord: {words}")
    assert done.stdout == ""
    assert not (tmp_path / ".venv").exists()


def test_windows_is_one_line_and_no_traceback(tmp_path: Path):
    code = """
    import sys
    sys.platform = "win32"
    sys.modules["fcntl"] = None
    sys.modules["pwd"] = None
    import runpy
    runpy.run_module("bot", run_name="__main__")
    """
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(map(str.strip, code.splitlines()))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert done.stderr == "Stemcord runs on Linux and macOS; on Windows use WSL or the container.\n"


def test_scripts_have_the_line_ends_that_shells_read():
    assert "eol=lf" in (ROOT / ".gitattributes").read_text()
    for path in (*ROOT.glob("requirements/*.sh"), ROOT / "Makefile", ROOT / "Dockerfile"):
        assert b"\r" not in path.read_bytes()


def test_image_is_built_on_one_exact_version_and_run_within_limits():
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])
    compose = (ROOT / "compose.yaml").read_text()
    for limit in ("mem_limit:", "pids_limit:", "nofile:"):
        assert limit in compose
