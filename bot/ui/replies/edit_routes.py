"""The two routes to a reply: the interaction's token until it expires, then the bot's own."""

import asyncio
import logging
from datetime import timedelta
from enum import StrEnum

import discord
from discord.utils import MISSING

from bot.domain.clock import Clock
from bot.domain.job import Context, Reply
from bot.ui.cards.message_content import MessageContent
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.discord_refusals import FailureKind
from bot.ui.replies.message_requests import (
    Edited,
    NotEdited,
    WriteRefused,
    open_files,
    translate_errors,
    with_plain_fallback,
)

log = logging.getLogger(__name__)

TOKEN_MARGIN = timedelta(minutes=1)
RETRY_UNKNOWN_TOKEN_S = 0.5

# In other contexts the bot is not a member, or can't see the message.
_BOT_TOKEN_CONTEXTS = frozenset({Context.GUILD, Context.BOT_DM})


class EditRoute(StrEnum):
    """A way to edit a reply."""

    TOKEN = "token"  # noqa: S105 - the name of a route
    CHANNEL = "channel"


class EditRoutes:
    """Edits replies by whichever route is open."""

    def __init__(self, *, client: discord.Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def open_routes(self, reply: Reply, closed: set[EditRoute]) -> list[EditRoute]:
        """Return the routes to try, best first, without those in `closed`."""
        left = timedelta(0)
        if reply.token is not None and reply.token_expires_at is not None:
            left = reply.token_expires_at - self._clock.now()
        routes = []
        if left > timedelta(0):
            routes.append(EditRoute.TOKEN)
        is_visible = reply.context in _BOT_TOKEN_CONTEXTS
        if is_visible and reply.message_id is not None and reply.channel_id:
            # A token that is about to expire may do so during the request, so it is tried second.
            routes.insert(len(routes) if left > TOKEN_MARGIN else 0, EditRoute.CHANNEL)
        return [route for route in routes if route not in closed]

    def is_closing(self, reply: Reply) -> bool:
        """Whether the reply's last route is about to expire."""
        if reply.context in _BOT_TOKEN_CONTEXTS or reply.token_expires_at is None:
            return False
        left = reply.token_expires_at - self._clock.now()
        return timedelta(0) < left <= TOKEN_MARGIN

    async def show(
        self, reply: Reply, content: MessageContent, *, closed: set[EditRoute]
    ) -> Edited | NotEdited:
        """Put the content into the reply; safe to repeat.

        Adds routes that Discord permanently refuses to `closed`. Raises ReplyUnavailable if Discord
        is out of reach or asks to wait.
        """
        detail = "no route is left"
        for route in self.open_routes(reply, closed):
            try:
                return Edited(await self._show_by(route, reply, content))
            except WriteRefused as exc:
                if exc.kind is FailureKind.TOO_LARGE:
                    return NotEdited(str(exc), is_too_large=True)
                closed.add(route)
                detail = f"by {route}: {exc}"
                log.info("a reply can no longer be edited by %s: %s", route, exc)
        return NotEdited(detail)

    async def _show_by(self, route: EditRoute, reply: Reply, content: MessageContent) -> int:
        async def edit(content: MessageContent) -> int:
            async with translate_errors(content):
                return await self._edit(route, reply, content)

        try:
            return await with_plain_fallback(edit, content)
        except WriteRefused as exc:
            if route is EditRoute.TOKEN and exc.status == 404:
                # Discord sometimes briefly rejects a valid token.
                await asyncio.sleep(RETRY_UNKNOWN_TOKEN_S)
                return await with_plain_fallback(edit, content)
            raise

    async def _edit(self, route: EditRoute, reply: Reply, content: MessageContent) -> int:
        text = content.card.plain if content.is_plain else None
        embeds = [] if content.is_plain else [embed_of(content.card)]
        view = view_of(content.card.buttons, content.card.menu)
        attachments = MISSING if content.files is None else open_files(content.files)
        message: discord.WebhookMessage | discord.Message
        match route:
            case EditRoute.TOKEN:
                webhook = discord.Webhook.partial(
                    reply.application_id, reply.token or "", client=self._client
                )
                message = await webhook.edit_message(
                    reply.message_id or "@original",  # type: ignore[arg-type] # what Discord takes
                    content=text,
                    embeds=embeds,
                    view=view,
                    attachments=attachments,
                )
            case EditRoute.CHANNEL:
                channel = self._client.get_partial_messageable(
                    reply.channel_id, guild_id=reply.guild_id
                )
                message = await channel.get_partial_message(reply.message_id or 0).edit(
                    content=text, embeds=embeds, view=view, attachments=attachments
                )
        return message.id
