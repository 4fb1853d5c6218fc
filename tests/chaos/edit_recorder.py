"""Records the time and the job progress of every edit in every channel."""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from bot.domain.job import State
from sandbox.errors import Json
from sandbox.server import Sandbox

OVER = 5
"""The rank of every final state."""
RANKS = {
    State.RECEIVED: 0,
    State.HELD: 1,
    State.SUBMITTING: 2,
    State.PROCESSING: 3,
    State.READY: 4,
}
_WORDS = (
    (0, re.compile(r"Starting|Getting your file|Reading your file")),
    (1, re.compile(r"In line|Next in line")),
    (2, re.compile(r"Sending the song|.* is taking over$")),
    (3, re.compile(r"Separating|.* separating$|Getting the stems|Mixing")),
    (4, re.compile(r"Preparing|Encoding|Uploading")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEdit:
    """An edit. `rank` is the job progress that it showed."""

    at: float
    channel_id: int
    message_id: int
    rank: int


@dataclass(slots=True)
class EditRecorder:
    """Records all edits, in order of arrival."""

    sandbox: Sandbox
    edits: list[RecordedEdit] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def at(cls, sandbox: Sandbox) -> AsyncIterator[Self]:
        """Record edits as seen by the owner, who is in every channel of the server."""
        recorder = cls(sandbox)
        with sandbox.feed.reader(sandbox.world.owner.id) as events:
            watching = asyncio.create_task(recorder._watch(events))
            try:
                yield recorder
            finally:
                watching.cancel()
                # The feed cuts off a reader that falls behind. Missed edits must not go unnoticed.
                [outcome] = await asyncio.gather(watching, return_exceptions=True)
                if not isinstance(outcome, asyncio.CancelledError):
                    raise AssertionError(f"the recorder stopped early: {outcome!r}")

    def by_message(self) -> dict[int, list[RecordedEdit]]:
        """Return the edits of each message, in order."""
        found = defaultdict(list)
        for edit in self.edits:
            found[edit.message_id].append(edit)
        return found

    async def _watch(self, events: asyncio.Queue[Json | None]) -> None:
        while (event := await events.get()) is not None:
            if event["type"] == "message_update":
                self.edits.append(
                    RecordedEdit(
                        at=self.sandbox.clock.now(),
                        channel_id=int(event["channel_id"]),
                        message_id=int(event["id"]),
                        rank=_rank(event),
                    )
                )


def _rank(message: Json) -> int:
    first_line = next(_lines(message), "")
    return next((rank for rank, words in _WORDS if words.match(first_line)), OVER)


def _lines(message: Json) -> Iterator[str]:
    for embed in message["embeds"]:
        yield from embed.get("description", "").split("\n")
