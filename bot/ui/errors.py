"""The command tree: speaks the user's language, and answers what commands raise."""

from typing import Any

import discord
from discord import app_commands

from bot.ui.answers import answer_error


class StemcordTree(app_commands.CommandTree[Any]):
    """Answers errors of commands from the same table as those of buttons."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Speak the language of whoever uses a command; nobody is turned away here."""
        interaction.client.services.languages.speak(interaction.locale.value)
        return True

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /
    ) -> None:
        """Answer the error; suggestions while typing have no room for an answer."""
        await answer_error(interaction, error)
