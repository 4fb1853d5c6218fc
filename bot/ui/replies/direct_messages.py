"""Direct messages to users: on request, or when a reply is out of reach."""

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

MAX_FILE_BYTES = 10 * 1024 * 1024
"""The largest file that a bot may send outside servers, in bytes."""


class DirectMessages:
    """Writes to users who accept messages from the bot."""

    def __init__(self, *, client: discord.Client) -> None:
        self._client = client

    async def send(
        self, user_id: UserId, content: MessageContent, *, nonce: int
    ) -> Edited | NotEdited:
        """Send the content as a new message.

        A `nonce` that is repeated within minutes sends nothing new. Raises ReplyUnavailable if
        Discord is out of reach or asks to wait.
        """

        async def write(content: MessageContent) -> int:
            async with translate_errors(content):
                return await self._write(user_id, content, nonce)

        try:
            return Edited(await with_plain_fallback(write, content))
        except WriteRefused as exc:
            log.info("a direct message was refused: %s", exc)
            return NotEdited(
                f"direct message: {exc}", is_too_large=exc.kind is FailureKind.TOO_LARGE
            )

    async def _write(self, user_id: UserId, content: MessageContent, nonce: int) -> int:
        channel = await self._client.create_dm(discord.Object(user_id))
        return await post(channel, content, nonce=nonce)
