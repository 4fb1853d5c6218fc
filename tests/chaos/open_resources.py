"""What a bot has open: tasks, threads and descriptors, counted by itself."""

import asyncio
import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceCount:
    """One count."""

    tasks: int
    threads: int
    descriptors: int

    @classmethod
    def here(cls) -> "ResourceCount":
        """Count this process's own."""
        return cls(
            tasks=len(asyncio.all_tasks()),
            threads=threading.active_count(),
            descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
        )

    @classmethod
    def read(cls, file: Path) -> "ResourceCount":
        """Read the latest count."""
        return cls(**json.loads(file.read_text()))

    def fits_into(self, other: "ResourceCount") -> bool:
        """Whether there is no more of anything than in the other."""
        return (
            self.tasks <= other.tasks
            and self.threads <= other.threads
            and self.descriptors <= other.descriptors
        )

    def with_room(self, *, tasks: int, threads: int, descriptors: int) -> "ResourceCount":
        """Return it with so many more of each."""
        return ResourceCount(
            tasks=self.tasks + tasks,
            threads=self.threads + threads,
            descriptors=self.descriptors + descriptors,
        )

    def __str__(self) -> str:
        """Return the three numbers."""
        return f"{self.tasks}, {self.threads}, {self.descriptors}"


async def keep_counting(file: Path) -> None:
    """Write the count down again and again; a reader finds a whole one."""
    fresh = file.with_suffix(".new")
    while True:
        fresh.write_text(json.dumps(asdict(ResourceCount.here())))
        fresh.replace(file)
        await asyncio.sleep(EVERY_S)
