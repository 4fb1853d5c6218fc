"""One order at a vendor: a song, a model, and what became of them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from yarl import URL

from sandbox.vendors.modes import Mode
from sandbox.vendors.separate import Model


class TaskState(StrEnum):
    """What a task can be."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Task:
    """Known by the id that the vendor gave it; `mode` is the vendor's when it was taken."""

    id: str
    song: str
    model: Model
    suffix: str
    mode: Mode = Mode.OK
    state: TaskState = TaskState.RUNNING
    reason: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """File names by the model's stems."""
    had_links: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def title(self) -> str:
        """The song's file name without its suffix."""
        return PurePosixPath(URL(self.song).path).stem or "song"

    def done(self, files: Mapping[str, str]) -> None:
        """End well."""
        self.files = files
        self._end(TaskState.DONE)

    def failed(self, reason: str) -> None:
        """End badly."""
        self.reason = reason
        self._end(TaskState.FAILED)

    def _end(self, state: TaskState) -> None:
        self.state = state
        self.ended.set()
