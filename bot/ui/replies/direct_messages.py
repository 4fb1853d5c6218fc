"""Direct messages to a user: where stems go when their reply is out of reach, or on demand."""

import logging

import discord

from bot.domain.job import UserId
from bot.ui.cards.message_content import MessageContent
from bot.ui.discord_refusals import FailureKind
from bot.ui.replies.message_requests import (
    Edited,
    NotEdited,
    WriteRefused,
    post,
    translate_errors,
    with_plain_fallback,
)

log = logging.getLogger(__name__)

FILE_BYTES = 10 * 1024 * 1024
"""What a bot may send as one file outside of servers."""


class DirectMessages:
    """Writes to users who let the bot do so."""

    def __init__(self, *, client: discord.Client) -> None:
        self._client = client

    async def send(
        self, user_id: UserId, sheet: MessageContent, *, nonce: int
    ) -> Edited | NotEdited:
        """Send the sheet as a new message; Discord takes the same `nonce` once within minutes.

        Raises ReplyUnavailable when Discord cannot be reached or asks to wait.
        """

        async def write(sheet: MessageContent) -> int:
            async with translate_errors(sheet):
                return await self._write(user_id, sheet, nonce)

        try:
            return Edited(await with_plain_fallback(write, sheet))
        except WriteRefused as exc:
            log.info("a direct message was refused: %s", exc)
            return NotEdited(f"directly: {exc}", is_too_large=exc.meaning is FailureKind.TOO_LARGE)

    async def _write(self, user_id: UserId, sheet: MessageContent, nonce: int) -> int:
        channel = await self._client.create_dm(discord.Object(user_id))
        return await post(channel, sheet, nonce=nonce)
