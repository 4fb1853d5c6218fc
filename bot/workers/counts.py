"""What a worker has done since its start, for its metrics."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum


class Outcome(StrEnum):
    """How this worker's part of a separation, or of an audio task, ended."""

    DONE = "done"
    DROPPED = "dropped"
    """Another worker or the bot was faster, or it was cancelled."""
    FAILED = "failed"
    """Audio tasks whose file is refused count as done instead."""
    HANDED_BACK = "handed_back"


class WorkCounts:
    """Counts separations or audio tasks."""

    def __init__(self) -> None:
        self._ended: Counter[Outcome] = Counter()
        self.under_way = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count one as under way inside the block."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def add(self, outcome: Outcome) -> None:
        """Count one that has ended."""
        self._ended[outcome] += 1

    @property
    def ended(self) -> Mapping[Outcome, int]:
        """How many have ended, by outcome, including zeros."""
        return {outcome: self._ended[outcome] for outcome in Outcome}
