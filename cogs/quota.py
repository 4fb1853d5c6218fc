"""`/quota`: a user's minutes."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.domain.job import UserId
from bot.services.quotas import Quotas
from bot.ui.card import quota_card
from bot.ui.client import Stemcord
from bot.ui.rendering import embed_of


class QuotaCog(commands.Cog):
    """Shows how many minutes are left."""

    def __init__(self, *, quotas: Quotas) -> None:
        self._quotas = quotas

    @app_commands.command(name="quota", description="Show how many minutes you have left")
    async def quota(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Show the caller's account in this period, to them alone."""
        usage = await self._quotas.usage(UserId(interaction.user.id))
        await interaction.response.send_message(embed=embed_of(quota_card(usage)), ephemeral=True)


async def setup(bot: Stemcord) -> None:
    """Add the cog."""
    await bot.add_cog(QuotaCog(quotas=bot.services.quotas))
