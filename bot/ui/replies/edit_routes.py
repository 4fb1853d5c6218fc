"""The ways to a reply: by the interaction's token while it lives, by the bot's own token after."""

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
ASK_AGAIN_AFTER_S = 0.5

# Elsewhere the bot is not a member, or the message is not for it to see.
_WITHIN_REACH = frozenset({Context.GUILD, Context.BOT_DM})


class EditRoute(StrEnum):
    """How a reply is reached."""

    TOKEN = "token"  # noqa: S105 - the name of a way
    CHANNEL = "channel"


class EditRoutes:
    """Edits replies by whichever way is open. Ways that are refused for good are told apart."""

    def __init__(self, *, client: discord.Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def open_ways(self, reply: Reply, closed: set[EditRoute]) -> list[EditRoute]:
        """Return the ways to try, the better first; one that is in `closed` is not."""
        left = timedelta(0)
        if reply.token is not None and reply.token_expires_at is not None:
            left = reply.token_expires_at - self._clock.now()
        ways = []
        if left > timedelta(0):
            ways.append(EditRoute.TOKEN)
        if reply.context in _WITHIN_REACH and reply.message_id is not None and reply.channel_id:
            # Near its end the token may die under way, so it is the second choice then.
            ways.insert(len(ways) if left > TOKEN_MARGIN else 0, EditRoute.CHANNEL)
        return [way for way in ways if way not in closed]

    def is_closing(self, reply: Reply) -> bool:
        """Whether the reply will soon be out of reach for good, for nothing but its age."""
        if reply.context in _WITHIN_REACH or reply.token_expires_at is None:
            return False
        left = reply.token_expires_at - self._clock.now()
        return timedelta(0) < left <= TOKEN_MARGIN

    async def show(
        self, reply: Reply, sheet: MessageContent, *, closed: set[EditRoute]
    ) -> Edited | NotEdited:
        """Put the sheet into the reply; safe to repeat. Adds ways refused for good to `closed`.

        Raises ReplyUnavailable when Discord cannot be reached or asks to wait.
        """
        detail = "no way is left"
        for way in self.open_ways(reply, closed):
            try:
                return Edited(await self._show_by(way, reply, sheet))
            except WriteRefused as exc:
                if exc.meaning is FailureKind.TOO_LARGE:
                    return NotEdited(str(exc), is_too_large=True)
                closed.add(way)
                detail = f"by {way}: {exc}"
                log.info("a reply cannot be edited by %s any more: %s", way, exc)
        return NotEdited(detail)

    async def _show_by(self, way: EditRoute, reply: Reply, sheet: MessageContent) -> int:
        async def edit(sheet: MessageContent) -> int:
            async with translate_errors(sheet):
                return await self._edit(way, reply, sheet)

        try:
            return await with_plain_fallback(edit, sheet)
        except WriteRefused as exc:
            if way is EditRoute.TOKEN and exc.status == 404:
                # Discord sometimes does not know a valid token for a moment.
                await asyncio.sleep(ASK_AGAIN_AFTER_S)
                return await with_plain_fallback(edit, sheet)
            raise

    async def _edit(self, way: EditRoute, reply: Reply, sheet: MessageContent) -> int:
        text = sheet.card.plain if sheet.is_plain else None
        embeds = [] if sheet.is_plain else [embed_of(sheet.card)]
        view = view_of(sheet.card.buttons, sheet.card.menu)
        attachments = MISSING if sheet.files is None else open_files(sheet.files)
        message: discord.WebhookMessage | discord.Message
        match way:
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
