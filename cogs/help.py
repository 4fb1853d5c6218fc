"""`/help`: what this bot does here."""

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.jobs.split_service import SplitService
from bot.ui.cards.card import help_card
from bot.ui.client import Stemcord
from bot.ui.components.rendering import embed_of


class HelpCog(commands.Cog):
    """Explains the commands."""

    def __init__(self, *, splits: SplitService) -> None:
        self._splits = splits

    @app_commands.command(name="help", description=locale_str("How to split a song"))
    async def help(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Explain the commands and this installation's limits."""
        card = help_card(self._splits.offers(), self._splits.limits)
        await interaction.response.send_message(embed=embed_of(card), ephemeral=True)


async def setup(bot: Stemcord) -> None:
    """Add the cog."""
    await bot.add_cog(HelpCog(splits=bot.services.splits))
