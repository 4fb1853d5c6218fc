"""Renders a card as an embed and a view."""

from collections.abc import Sequence

import discord

from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Button, LinkButton, Menu
from bot.ui.components.persistent_items import ActionButton, ActionMenu

COLOURS: dict[Tone, int] = {
    Tone.WAITING: 0x8A94A6,
    Tone.WORKING: 0x5865F2,
    Tone.DONE: 0x2FB67C,
    Tone.FAILED: 0xE5484D,
    Tone.QUIET: 0x6B7280,
}


def embed_of(card: Card) -> discord.Embed:
    """Return the card's title, lines, colour, footer and picture as an embed."""
    embed = discord.Embed(
        title=card.title, description="\n".join(card.lines), colour=COLOURS[card.tone]
    )
    if card.footer:
        embed.set_footer(text=card.footer)
    if card.picture:
        embed.set_image(url=f"attachment://{card.picture}")
    return embed


def view_of(
    buttons: Sequence[Button | LinkButton] = (), menu: Menu | None = None
) -> discord.ui.View | None:
    """Return buttons and a menu as a view that never times out; None if there are none."""
    if not buttons and menu is None:
        return None
    view = discord.ui.View(timeout=None)
    for button in buttons:
        if isinstance(button, LinkButton):
            view.add_item(discord.ui.Button(label=button.label, url=button.url))
        else:
            view.add_item(ActionButton(button))
    if menu is not None:
        view.add_item(ActionMenu(menu))
    return view
