"""Sends a second message, for stems that do not fit into the reply."""

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
    """Sends the message that follows a reply."""

    def __init__(self, *, client: discord.Client) -> None:
        self._client = client

    async def send(
        self, reply: Reply, content: MessageContent, *, routes: list[EditRoute], nonce: str
    ) -> Edited | NotEdited:
        """Send the content by one of the routes that are open to the reply.

        The channel is tried first, because there a `nonce` that is repeated within minutes sends
        nothing new. Raises ReplyUnavailable if Discord is out of reach or asks to wait.
        """
        detail = "no route is open"
        for route in sorted(routes, key=lambda route: route is not EditRoute.CHANNEL):
            try:
                return Edited(await self._send_by(route, reply, content, nonce))
            except WriteRefused as exc:
                if exc.kind is FailureKind.TOO_LARGE:
                    return NotEdited(str(exc), is_too_large=True)
                detail = f"by {route}: {exc}"
                log.info("a second message was refused: %s", detail)
        return NotEdited(detail)

    async def _send_by(
        self, route: EditRoute, reply: Reply, content: MessageContent, nonce: str
    ) -> int:
        async def write(content: MessageContent) -> int:
            async with translate_errors(content):
                if route is EditRoute.CHANNEL:
                    return await self._to_channel(reply, content, nonce)
                return await self._to_interaction(reply, content)

        return await with_plain_fallback(write, content)

    async def _to_channel(self, reply: Reply, content: MessageContent, nonce: str) -> int:
        channel = self._client.get_partial_messageable(reply.channel_id, guild_id=reply.guild_id)
        return await post(channel, content, nonce=nonce)

    async def _to_interaction(self, reply: Reply, content: MessageContent) -> int:
        webhook = discord.Webhook.partial(
            reply.application_id, reply.token or "", client=self._client
        )
        # Otherwise discord.py takes it for a channel's webhook and refuses to send ephemeral
        # messages.
        webhook.type = discord.WebhookType.application
        message = await webhook.send(
            content=content.card.plain if content.is_plain else MISSING,
            embeds=[] if content.is_plain else [embed_of(content.card)],
            view=view_of(content.card.buttons, content.card.menu) or MISSING,
            files=open_files(content.files or ()),
            ephemeral=reply.is_ephemeral,
            allowed_mentions=discord.AllowedMentions.none(),
            wait=True,
        )
        return message.id
