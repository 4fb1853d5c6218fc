"""A task at a vendor: a song, a model and the outcome."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from yarl import URL

from sandbox.vendors.modes import Mode
from sandbox.vendors.separate import Model


class TaskState(StrEnum):
    """A task's state."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Task:
    """A task with its vendor's id. `mode` is the vendor's mode when it accepted the task."""

    id: str
    song: str
    model: Model
    suffix: str
    mode: Mode = Mode.OK
    state: TaskState = TaskState.RUNNING
    reason: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """File names, by the model's stem names."""
    had_links: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def title(self) -> str:
        """The song's file name without its suffix."""
        return PurePosixPath(URL(self.song).path).stem or "song"

    def done(self, files: Mapping[str, str]) -> None:
        """Mark the task as done."""
        self.files = files
        self._end(TaskState.DONE)

    def failed(self, reason: str) -> None:
        """Mark the task as failed."""
        self.reason = reason
        self._end(TaskState.FAILED)

    def _end(self, state: TaskState) -> None:
        self.state = state
        self.ended.set()
