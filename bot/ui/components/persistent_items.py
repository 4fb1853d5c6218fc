"""The only button class and the only menu class; both keep working after a restart.

They import no handlers; the client's registry maps actions to handlers.
"""

import re
from typing import Any, Self

import discord

from bot.ui.cards.controls import Action, Button, Choice, Emphasis, Menu, MenuAction

STYLES: dict[Emphasis, discord.ButtonStyle] = {
    Emphasis.NORMAL: discord.ButtonStyle.secondary,
    Emphasis.PRIMARY: discord.ButtonStyle.primary,
    Emphasis.DANGER: discord.ButtonStyle.danger,
}

_SUBJECT = r"(?P<subject>[a-z0-9:._-]+)"
_BUTTON = rf"(?P<action>{'|'.join(Action)}):{_SUBJECT}"
_MENU = rf"(?P<action>{'|'.join(MenuAction)})(?::{_SUBJECT})?"


class ActionButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=_BUTTON):
    """A button that passes its action and subject to the client's handlers."""

    def __init__(self, button: Button) -> None:
        super().__init__(
            discord.ui.Button(
                label=button.label, style=STYLES[button.emphasis], custom_id=button.custom_id
            )
        )
        self._button = button

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],
        item: discord.ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> Self:
        """Rebuild the button from its custom id."""
        label = str(getattr(item, "label", None) or "…")
        return cls(Button(Action(match["action"]), match["subject"], label))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run the action's handler."""
        handlers = interaction.client.handlers
        await handlers.press(interaction, self._button.action, self._button.subject)


class ActionMenu(discord.ui.DynamicItem[discord.ui.Select[Any]], template=_MENU):
    """A menu that passes its action, its subject and the chosen value to the client's handlers."""

    def __init__(self, menu: Menu) -> None:
        options = [
            discord.SelectOption(value=each.value, label=each.label, description=each.detail)
            for each in menu.choices
        ]
        super().__init__(
            discord.ui.Select(
                custom_id=menu.custom_id, placeholder=menu.placeholder, options=options
            )
        )
        self._menu = menu

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],
        item: discord.ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> Self:
        """Rebuild the menu from its custom id and its message."""
        shown: Any = item
        return cls(
            Menu(
                action=MenuAction(match["action"]),
                subject=match["subject"] or "",
                placeholder=shown.placeholder or "",
                choices=tuple(
                    Choice(each.value, each.label, each.description) for each in shown.options
                ),
            )
        )

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run the action's handler with the chosen value."""
        handlers = interaction.client.handlers
        [value] = self.item.values
        await handlers.choose(interaction, self._menu.action, self._menu.subject, value)
