"""Helpers for one request that writes a message: time limit, result and Discord's refusals."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import discord

from bot.delivery.port import ReplyUnavailable
from bot.ui.cards.message_content import AttachmentFile, MessageContent
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.discord_refusals import FailureKind, failure_kind

log = logging.getLogger(__name__)

WRITE_WITHIN_S = 30.0
UPLOAD_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Edited:
    """The message was written."""

    message_id: int


@dataclass(frozen=True, slots=True)
class NotEdited:
    """Discord refused every route."""

    detail: str
    is_too_large: bool = False


class WriteRefused(Exception):
    """Discord refused to write a message by one route."""

    def __init__(self, kind: FailureKind, error: discord.HTTPException) -> None:
        super().__init__(f"status {error.status}, code {error.code}")
        self.kind = kind
        self.status = error.status


@asynccontextmanager
async def translate_errors(content: MessageContent) -> AsyncIterator[None]:
    """Limit the time of a request that writes `content`, and translate its errors.

    Raises WriteRefused, and ReplyUnavailable if Discord is out of reach or asks to wait.
    """
    try:
        async with asyncio.timeout(UPLOAD_WITHIN_S if content.files else WRITE_WITHIN_S):
            yield
    except discord.HTTPException as exc:
        kind = failure_kind(exc)
        if kind is FailureKind.TOO_LARGE and not content.files:
            kind = FailureKind.LATER  # a card alone is never too large, so the refusal will pass
        if kind is FailureKind.LATER:
            raise ReplyUnavailable(f"status {exc.status}, code {exc.code}") from exc
        raise WriteRefused(kind, exc) from exc
    except discord.RateLimited as exc:
        raise ReplyUnavailable(f"rate limited for {exc.retry_after:.0f} s") from exc
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise ReplyUnavailable(type(exc).__name__) from exc


async def with_plain_fallback(
    write: Callable[[MessageContent], Awaitable[int]], content: MessageContent
) -> int:
    """Write the content; if Discord refuses its words, write it in fixed words."""
    try:
        return await write(content)
    except WriteRefused as exc:
        if exc.kind is not FailureKind.UNWANTED:
            raise
        log.warning("writing a message in plain words: %s", exc)
        return await write(content.in_plain_words())


def open_files(files: Sequence[AttachmentFile]) -> list[discord.File]:
    """Open files for one request; discord.py streams them, and closes them afterwards."""
    return [
        discord.File(file.path, filename=file.filename, description=file.description)
        for file in files
    ]


async def post(
    channel: discord.abc.Messageable, content: MessageContent, *, nonce: int | str
) -> int:
    """Send a new message and return its id.

    For some minutes Discord drops a repeated `nonce`, so a retry posts nothing twice.
    """
    message = await channel.send(
        content=content.card.plain if content.is_plain else None,
        embeds=[] if content.is_plain else [embed_of(content.card)],
        view=view_of(content.card.buttons, content.card.menu),  # type: ignore[arg-type] # None means none
        files=open_files(content.files or ()),
        nonce=nonce,
    )
    return message.id
