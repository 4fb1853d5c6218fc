"""`/help`: explains the bot."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.ui.cards.info_cards import help_card
from bot.ui.components.rendering import embed_of
from bot.ui.services import Services


class HelpCog(commands.Cog):
    """Explains the commands."""

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits

    @app_commands.command(name="help", description=locale_str("How to split a song"))
    async def help(self, interaction: discord.Interaction[Any]) -> None:
        """Explain the commands and this installation's limits."""
        card = help_card(self._splits.offers(), self._splits.limits)
        await interaction.response.send_message(embed=embed_of(card), ephemeral=True)
