"""A new message in a channel."""

import discord

from bot.ui.asking import opened
from bot.ui.rendering import embed_of, view_of
from bot.ui.sheet import Sheet


async def post(channel: discord.abc.Messageable, sheet: Sheet, *, nonce: int | str) -> int:
    """Send the sheet and return the message's id; Discord takes a `nonce` once within minutes."""
    message = await channel.send(
        content=sheet.card.plain if sheet.is_plain else None,
        embeds=[] if sheet.is_plain else [embed_of(sheet.card)],
        view=view_of(sheet.card.buttons, sheet.card.menu),  # type: ignore[arg-type] # None means none
        files=opened(sheet.files or ()),
        nonce=nonce,
    )
    return message.id
