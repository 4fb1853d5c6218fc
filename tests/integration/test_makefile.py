"""`make run` reads the token as the bot does: empty means unset, and quotes are removed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOT, SIMULATOR = "-m bot", "-m sandbox.run"
# An interpreter that runs only the Makefile's `-c` queries, and prints other arguments.
PYTHON = f"""#!/bin/sh
case $1 in
-c) exec {sys.executable} "$@" ;;
*) echo "$@" ;;
esac
"""


def started_by(folder: Path, variables: dict[str, str], file: str = "") -> str:
    """Run `make run` in a folder with this `.env`, and return what it starts."""
    python = folder / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    (folder / ".env").write_text(file)
    done = subprocess.run(
        ["make", "-f", ROOT / "Makefile", "-o", ".venv/run.stamp", "-o", "model", "run",
         f"python={python}"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )  # fmt: skip
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("variables", "file", "started"),
    [
        ({}, "", SIMULATOR),
        ({"DISCORD_TOKEN": "''", "VENDORS": ""}, "", SIMULATOR),
        ({"VENDORS": "1"}, "", f"{SIMULATOR} --vendors"),
        ({"DISCORD_TOKEN": "a.b.c"}, "", BOT),
        ({"DISCORD_TOKEN": ""}, "DISCORD_TOKEN=a.b.c\n", BOT),
        ({}, 'DISCORD_TOKEN="a.b.c"\n', BOT),
    ],
)
def test_the_bot_is_run_where_it_would_find_its_token(
    tmp_path: Path, variables: dict[str, str], file: str, started: str
):
    assert started_by(tmp_path, variables, file) == started
