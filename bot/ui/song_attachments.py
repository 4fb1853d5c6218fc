"""The songs in a message: its attachments that may hold sound, and what becomes of one."""

from collections.abc import Iterable

import discord

from bot.domain.job import Source

_FAMILIES = ("audio/", "video/")
_SUFFIXES = tuple(
    ".mp3 .wav .flac .ogg .opus .m4a .aac .aiff .aif .wma .mp4 .mov .mkv .webm".split()  # noqa: SIM905
)


def source_of(file: discord.Attachment, *, message_id: int | None = None) -> Source:
    """Describe a file as it is declared; `message_id` names the message that carries it."""
    return Source(
        # The title is the name before Discord took the letters out that it does not like.
        filename=file.title or file.filename,
        url=file.url,
        size_bytes=file.size,
        message_id=message_id,
    )


def songs_in(message: discord.Message) -> list[Source]:
    """Return the files that may hold sound, in their order; whether they do is found out later."""
    return [source_of(file, message_id=message.id) for file in _audible(message.attachments)]


def _audible(files: Iterable[discord.Attachment]) -> Iterable[discord.Attachment]:
    for file in files:
        is_declared = (file.content_type or "").startswith(_FAMILIES)
        if is_declared or file.filename.lower().endswith(_SUFFIXES):
            yield file
