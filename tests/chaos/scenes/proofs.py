"""Runs the long tests of the suite and counts their results."""

import asyncio
import re
import sys
from pathlib import Path

from tests.chaos.measurements import Figure

NAME = "proofs"
PROOFS = {
    "the services agree with the reference model, 200 x 50 steps": (
        "-m",
        "chaos",
        "tests/integration/test_reference_model.py",
    ),
    "a result older than its token, in all six contexts": (
        "tests/integration/conversations/test_contexts.py",
        "tests/e2e/test_token.py",
    ),
    "2,000 hostile addresses, none of which is reached": (
        "-m",
        "slow",
        "tests/unit/net/test_hostile_addresses.py",
    ),
}
_COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


async def proofs(home: Path) -> list[Figure]:
    """Run each set of tests."""
    return [await _prove(home, what, arguments) for what, arguments in PROOFS.items()]


async def _prove(home: Path, what: str, arguments: tuple[str, ...]) -> Figure:
    options = ("-q", "-p", "no:cacheprovider", f"--basetemp={home / 'pytest'}")
    said = home / "said"
    with said.open("wb") as file:
        testing = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pytest", *options, "--timeout=900", *arguments, stdout=file
        )
        status = await testing.wait()
    counts = {word: int(number) for number, word in _COUNTS.findall(last_line(said.read_text()))}
    return Figure(
        scene=NAME,
        what=what,
        measured=", ".join(f"{number} {word}" for word, number in counts.items()),
        limit="all passed",
        is_met=status == 0 and set(counts) == {"passed"},
    )


def last_line(text: str) -> str:
    """Return the summary that pytest ends with."""
    return text.rstrip().rpartition("\n")[2]
