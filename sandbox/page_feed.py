"""Live events for the sandbox's users: the browser page, the demo and tests."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.clock import iso
from sandbox.entities import Message
from sandbox.errors import Json
from sandbox.payloads import Payloads
from sandbox.world import World

_MOST_WAITING = 1000


class PageFeed:
    """Sends each event to the users who can see it, and drops readers that fall far behind."""

    def __init__(self, *, world: World, payloads: Payloads) -> None:
        self._world = world
        self._payloads = payloads
        self._readers: dict[asyncio.Queue[Json | None], int] = {}

    @contextmanager
    def reader(self, user_id: int) -> Iterator[asyncio.Queue[Json | None]]:
        """Subscribe as a user. `None` in the queue marks the end of the feed."""
        queue: asyncio.Queue[Json | None] = asyncio.Queue(_MOST_WAITING)
        self._readers[queue] = user_id
        try:
            yield queue
        finally:
            self._readers.pop(queue, None)

    def close(self) -> None:
        """End the feed for every reader."""
        for queue in list(self._readers):
            self._cut_off(queue)

    def tell_all(self, event: Json) -> None:
        """Push an event to everyone."""
        for queue in list(self._readers):
            self._push(queue, event)

    def tell(self, user_id: int, event: Json) -> None:
        """Push an event to one user."""
        for queue, reader_id in list(self._readers.items()):
            if reader_id == user_id:
                self._push(queue, event)

    def tell_seers(self, message: Message, event: Json) -> None:
        """Push an event to the users who can see a message."""
        for queue, reader_id in list(self._readers.items()):
            if self._world.may_see(reader_id, message):
                self._push(queue, event)

    def tell_channel(self, channel_id: int, event: Json) -> None:
        """Push an event to the users in a channel."""
        channel = self._world.channels[channel_id]
        for queue, reader_id in list(self._readers.items()):
            if self._world.may_see_channel(reader_id, channel):
                self._push(queue, event)

    def shown(self, message: Message) -> Json:
        """Return a message as users see it, with the original file names."""
        embeds, files = self._payloads.embeds_and_files(message)
        author = self._world.users[message.author_id]
        cause = message.cause
        return {
            "id": str(message.id),
            "channel_id": str(message.channel_id),
            "author": {"id": str(author.id), "name": author.name, "bot": author.is_bot},
            "content": message.content,
            "flags": message.flags,
            "ephemeral": message.is_ephemeral,
            "loading": message.is_loading,
            "edited": message.edited_at is not None,
            "timestamp": iso(message.created_at),
            "embeds": embeds,
            "attachments": [
                self._payloads.attachment(file) | {"filename": file.shown_name} for file in files
            ],
            "components": list(message.components),
            "reply_to": None if message.reply_to is None else str(message.reply_to),
            "interaction": None
            if cause is None
            else {"user": self._person(cause.user_id), "name": cause.name},
        }

    def _person(self, user_id: int) -> Json:
        return {"id": str(user_id), "name": self._world.users[user_id].name}

    def _push(self, queue: asyncio.Queue[Json | None], event: Json) -> None:
        try:
            queue.put_nowait(event)
        except asyncio.QueueFull:
            self._cut_off(queue)

    def _cut_off(self, queue: asyncio.Queue[Json | None]) -> None:
        self._readers.pop(queue, None)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
