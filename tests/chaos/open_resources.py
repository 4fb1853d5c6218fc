"""Counts of the tasks, threads and descriptors that a bot has open, made by the bot itself."""

import asyncio
import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceCount:
    """The counts at one point in time."""

    tasks: int
    threads: int
    descriptors: int

    @classmethod
    def of_this_process(cls) -> "ResourceCount":
        """Count this process's resources."""
        return cls(
            tasks=len(asyncio.all_tasks()),
            threads=threading.active_count(),
            descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
        )

    @classmethod
    def read(cls, file: Path) -> "ResourceCount":
        """Read the latest counts from a file."""
        return cls(**json.loads(file.read_text()))

    def fits_into(self, other: "ResourceCount") -> bool:
        """Return whether no count exceeds the other's."""
        return (
            self.tasks <= other.tasks
            and self.threads <= other.threads
            and self.descriptors <= other.descriptors
        )

    def with_margin(self, *, tasks: int, threads: int, descriptors: int) -> "ResourceCount":
        """Return the counts, each raised by a margin."""
        return ResourceCount(
            tasks=self.tasks + tasks,
            threads=self.threads + threads,
            descriptors=self.descriptors + descriptors,
        )

    def __str__(self) -> str:
        """Return the three numbers."""
        return f"{self.tasks}, {self.threads}, {self.descriptors}"


async def keep_counting(file: Path) -> None:
    """Keep writing the counts to the file, atomically each time."""
    fresh = file.with_suffix(".new")
    while True:
        fresh.write_text(json.dumps(asdict(ResourceCount.of_this_process())))
        fresh.replace(file)
        await asyncio.sleep(EVERY_S)
