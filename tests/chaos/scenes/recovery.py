"""Measures how fast a bot resumes with ten thousand jobs, half of them unfinished."""

from pathlib import Path

from bench.recovery import measure
from tests.chaos.measurements import Figure, at_most, note

NAME = "recovery"


async def recovery(home: Path, *, jobs: int) -> list[Figure]:
    """Fill a data directory, and start a bot on it."""
    run = await measure(jobs, home)
    return [
        note(NAME, "jobs at start, unfinished", f"{run.jobs:,}, {run.unfinished:,}"),
        at_most(NAME, "until the first action", run.first_action.wall_s, 5, " s"),
        note(NAME, "until it is connected to Discord", f"{run.connected.wall_s:.3g} s"),
        note(NAME, "until all jobs have begun", f"{run.resumed.wall_s:.3g} s"),
    ]
