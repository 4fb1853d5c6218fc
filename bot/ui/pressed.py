"""What all buttons and menus have in common: they outlive a restart, and answer errors."""

from abc import abstractmethod
from typing import Any

import discord

from bot.ui.answers import answer_error
from bot.ui.client import Stemcord


class Control(discord.ui.DynamicItem[Any], template=r"(?!)"):
    """Answers errors from the same table as commands; discord.py would only log them."""

    @abstractmethod
    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Do what was pressed or chosen; whatever is raised is answered."""

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do it."""
        try:
            await self.press(interaction)
        except Exception as exc:  # noqa: BLE001 - answered and logged there
            await answer_error(interaction, exc)


def chosen(item: Any) -> str:
    """Return what was chosen from a menu that takes one choice."""
    return str(item.values[0])
