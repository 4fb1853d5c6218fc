"""One request that writes a message: its time limit, what comes of it, and refusals translated."""

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
    """The message shows the sheet."""

    message_id: int


@dataclass(frozen=True, slots=True)
class NotEdited:
    """No way is open."""

    detail: str
    is_too_large: bool = False


class WriteRefused(Exception):
    """Discord refused to write one message in one way."""

    def __init__(self, meaning: FailureKind, error: discord.HTTPException) -> None:
        super().__init__(f"status {error.status}, code {error.code}")
        self.meaning = meaning
        self.status = error.status


@asynccontextmanager
async def translate_errors(sheet: MessageContent) -> AsyncIterator[None]:
    """Bound a request that writes the sheet.

    Raises WriteRefused, and ReplyUnavailable when Discord cannot be reached or asks to wait.
    """
    try:
        async with asyncio.timeout(UPLOAD_WITHIN_S if sheet.files else WRITE_WITHIN_S):
            yield
    except discord.HTTPException as exc:
        meaning = failure_kind(exc)
        if meaning is FailureKind.LATER:
            raise ReplyUnavailable(f"status {exc.status}, code {exc.code}") from exc
        raise WriteRefused(meaning, exc) from exc
    except discord.RateLimited as exc:
        raise ReplyUnavailable(f"rate limited for {exc.retry_after:.0f} s") from exc
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise ReplyUnavailable(type(exc).__name__) from exc


async def with_plain_fallback(
    write: Callable[[MessageContent], Awaitable[int]], sheet: MessageContent
) -> int:
    """Write the sheet, and once more in plain words where its own are not wanted."""
    try:
        return await write(sheet)
    except WriteRefused as exc:
        if exc.meaning is not FailureKind.UNWANTED:
            raise
        log.warning("a reply is shown in plain words: %s", exc)
        return await write(sheet.in_plain_words())


def open_files(files: Sequence[AttachmentFile]) -> list[discord.File]:
    """Open files for one request; discord.py closes them after it, and streams them until then."""
    return [discord.File(file.path, filename=file.filename) for file in files]


async def post(channel: discord.abc.Messageable, sheet: MessageContent, *, nonce: int | str) -> int:
    """Send the sheet and return the message's id; Discord takes a `nonce` once within minutes."""
    message = await channel.send(
        content=sheet.card.plain if sheet.is_plain else None,
        embeds=[] if sheet.is_plain else [embed_of(sheet.card)],
        view=view_of(sheet.card.buttons, sheet.card.menu),  # type: ignore[arg-type] # None means none
        files=open_files(sheet.files or ()),
        nonce=nonce,
    )
    return message.id
