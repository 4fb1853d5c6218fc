"""`python -m tests.planted`: plant known bugs in a copy of the tree; each must fail a test."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from tests.planted.plant import Plant
from tests.planted.plants import PLANTS

ROOT = Path(__file__).parents[2]
COPIED = ("bench", "bot", "cogs", "storage", "sandbox", "tests", "pyproject.toml")
ENDS_WITHIN_S = 120.0
ALL_END_WITHIN_S = 900.0
_SUMMARY = re.compile(r"^FAILED ", re.MULTILINE)


class Verdict(StrEnum):
    """The outcome of a test run."""

    GREEN = "green"
    RED = "red"
    BROKEN = "no result"


def main(wanted: Sequence[str]) -> int:
    """Plant all bugs, or those whose names contain a given word. Return 1 if one goes unnoticed."""
    plants = [each for each in PLANTS if not wanted or any(word in each.name for word in wanted)]
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        missed = unnoticed(Path(folder), plants)
    print(f"{len(plants) - len(missed)} of {len(plants)} planted bugs were noticed.")
    return 1 if missed else 0


def unnoticed(tree: Path, plants: Sequence[Plant]) -> list[str]:
    """Plant each bug in a copy of the tree in this folder, and return the unnoticed ones."""
    _copy(tree)
    everything = sorted({path for plant in plants for path in plant.tests})
    verdict = run(tree, everything, within_s=ALL_END_WITHIN_S)
    if verdict is not Verdict.GREEN:
        print(f"MISSED all: the tests are {verdict} before anything is planted", flush=True)
        return [plant.name for plant in plants]
    return [plant.name for plant in plants if not _is_noticed(tree, plant)]


def _is_noticed(tree: Path, plant: Plant) -> bool:
    path = tree / plant.file
    whole = path.read_text()
    if not plant.applies_to(tree):
        print(f"LOST   {plant.name}: its text is not there", flush=True)
        return False
    plant.put_into(tree)
    began = time.monotonic()
    verdict = run(tree, plant.tests)
    path.write_text(whole)
    is_noticed = verdict is Verdict.RED
    mark = "ok    " if is_noticed else "MISSED"
    print(f"{mark} {plant.name}: {verdict} after {time.monotonic() - began:.0f} s", flush=True)
    return is_noticed


def run(tree: Path, tests: Sequence[str], *, within_s: float = ENDS_WITHIN_S) -> Verdict:
    """Run a tree's tests, stopping at the first failure."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    said = tree / "said"
    with said.open("w") as file:
        process = subprocess.Popen(command, cwd=tree, stdout=file, stderr=subprocess.STDOUT)
    ends_at = time.monotonic() + within_s
    try:
        while process.poll() is None and time.monotonic() < ends_at:
            # A failed test may leave a thread running, for which the process would wait.
            if _SUMMARY.search(said.read_text()):
                return Verdict.RED
            time.sleep(0.2)
        return {0: Verdict.GREEN, 1: Verdict.RED}.get(process.returncode, Verdict.BROKEN)
    finally:
        process.kill()
        process.wait()


def _copy(tree: Path) -> None:
    skip = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=skip)
        else:
            shutil.copy(source, tree / name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
