"""What all buttons and menus have in common: they outlive a restart, and answer errors."""

import re
from abc import abstractmethod
from typing import Any, Self

import discord

from bot.ui.cards.controls import Choice, Menu
from bot.ui.client import Stemcord
from bot.ui.error_answers import answer_error


class PersistentItem(discord.ui.DynamicItem[Any], template=r"(?!)"):
    """Answers errors from the same table as commands; discord.py would only log them."""

    @classmethod
    @abstractmethod
    def rebuilt(cls, match: re.Match[str], item: discord.ui.Item[Any]) -> Self:
        """Build it again from its custom id, and from what else Discord kept of it."""

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],
        item: discord.ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> Self:
        """Build it again for one interaction."""
        return cls.rebuilt(match, item)

    @abstractmethod
    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Do what was pressed or chosen; whatever is raised is answered."""

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do it, and speak the language of whoever pressed."""
        interaction.client.services.languages.activate(interaction.locale.value)
        try:
            await self.press(interaction)
        except Exception as exc:  # noqa: BLE001 - answered and logged there
            await answer_error(interaction, exc)


class PersistentMenu(PersistentItem, template=r"(?!)"):
    """A menu that takes one choice."""

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

    @classmethod
    def rebuilt(cls, match: re.Match[str], item: discord.ui.Item[Any]) -> Self:
        """Build the menu again from what Discord kept."""
        kept: Any = item
        choices = tuple(Choice(each.value, each.label, each.description) for each in kept.options)
        placeholder = kept.placeholder or ""
        return cls(Menu(custom_id=match.string, placeholder=placeholder, choices=choices))

    @property
    def chosen(self) -> str:
        """The value of what was chosen."""
        return str(self.item.values[0])

    @property
    def subject(self) -> list[str]:
        """What the custom id names behind its first word."""
        return self.custom_id.split(":")[1:]
