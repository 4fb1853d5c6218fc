"""Finds the songs of a message: attachments that look like audio or video."""

from collections.abc import Iterator

import discord

from bot.domain.job import Source
from bot.domain.titles import has_song_suffix

_MEDIA_TYPES = ("audio/", "video/")


def source_of(file: discord.Attachment, *, message_id: int | None = None) -> Source:
    """Describe an attachment as Discord declares it; `message_id` is the message that it belongs
    to.
    """
    return Source(
        # Discord strips letters from file names but keeps the original name as the title.
        filename=file.title or file.filename,
        url=file.url,
        size_bytes=file.size,
        message_id=message_id,
    )


def songs_in(message: discord.Message) -> list[Source]:
    """Return a message's files that look like audio or video, in order.

    A forwarded message has its files in snapshots of the original.
    """
    return [
        source_of(file, message_id=message.id)
        for file in attachments_of(message)
        if _is_declared_media(file) or has_song_suffix(file.filename)
    ]


def attachments_of(message: discord.Message) -> Iterator[discord.Attachment]:
    """Yield all files that a message shows: its own, and those of forwarded messages."""
    yield from message.attachments
    for snapshot in message.message_snapshots:
        yield from snapshot.attachments


def _is_declared_media(file: discord.Attachment) -> bool:
    return (file.content_type or "").startswith(_MEDIA_TYPES)
