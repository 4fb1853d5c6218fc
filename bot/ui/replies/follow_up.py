"""One more message, for stems that do not fit the reply."""

import logging

import discord
from discord.utils import MISSING

from bot.domain.job import Reply
from bot.ui.cards.message_content import MessageContent
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.discord_refusals import FailureKind
from bot.ui.replies.edit_routes import EditRoute
from bot.ui.replies.message_requests import (
    Edited,
    NotEdited,
    WriteRefused,
    open_files,
    post,
    translate_errors,
    with_plain_fallback,
)

log = logging.getLogger(__name__)


class FollowUp:
    """Sends a message that follows a reply."""

    def __init__(self, *, client: discord.Client) -> None:
        self._client = client

    async def send(
        self, reply: Reply, sheet: MessageContent, *, ways: list[EditRoute], nonce: str
    ) -> Edited | NotEdited:
        """Send the sheet by one of the ways on which the reply can be reached just now.

        In a channel Discord takes the same `nonce` once within minutes, so that is tried first.
        Raises ReplyUnavailable when Discord cannot be reached or asks to wait.
        """
        detail = "no way is open"
        for way in sorted(ways, key=lambda way: way is not EditRoute.CHANNEL):
            try:
                return Edited(await self._send_by(way, reply, sheet, nonce))
            except WriteRefused as exc:
                if exc.meaning is FailureKind.TOO_LARGE:
                    return NotEdited(str(exc), is_too_large=True)
                detail = f"by {way}: {exc}"
                log.info("a second message was refused: %s", detail)
        return NotEdited(detail)

    async def _send_by(
        self, way: EditRoute, reply: Reply, sheet: MessageContent, nonce: str
    ) -> int:
        async def write(sheet: MessageContent) -> int:
            async with translate_errors(sheet):
                if way is EditRoute.CHANNEL:
                    return await self._to_channel(reply, sheet, nonce)
                return await self._to_interaction(reply, sheet)

        return await with_plain_fallback(write, sheet)

    async def _to_channel(self, reply: Reply, sheet: MessageContent, nonce: str) -> int:
        channel = self._client.get_partial_messageable(reply.channel_id, guild_id=reply.guild_id)
        return await post(channel, sheet, nonce=nonce)

    async def _to_interaction(self, reply: Reply, sheet: MessageContent) -> int:
        webhook = discord.Webhook.partial(
            reply.application_id, reply.token or "", client=self._client
        )
        # Or discord.py takes it for one of a channel's, which have no ephemeral messages.
        webhook.type = discord.WebhookType.application
        message = await webhook.send(
            content=sheet.card.plain if sheet.is_plain else MISSING,
            embeds=[] if sheet.is_plain else [embed_of(sheet.card)],
            view=view_of(sheet.card.buttons, sheet.card.menu) or MISSING,
            files=open_files(sheet.files or ()),
            ephemeral=reply.is_ephemeral,
            allowed_mentions=discord.AllowedMentions.none(),
            wait=True,
        )
        return message.id
