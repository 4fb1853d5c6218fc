"""`/quota`: a user's minutes."""

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.accounts.quotas import Quotas
from bot.admin.administration import Administration
from bot.ui.actors import actor_of
from bot.ui.cards.card import quota_card
from bot.ui.client import Stemcord
from bot.ui.components.rendering import embed_of
from bot.ui.context import membership_of


class QuotaCog(commands.Cog):
    """Shows how many minutes are left."""

    def __init__(self, *, quotas: Quotas, administration: Administration) -> None:
        self._quotas = quotas
        self._administration = administration

    @app_commands.command(
        name="quota", description=locale_str("Show how many minutes you have left")
    )
    async def quota(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Show the caller's accounts in this period, to them alone."""
        actor, membership = actor_of(interaction), membership_of(interaction)
        card = quota_card(
            await self._quotas.usage(actor.user_id, membership),
            await self._quotas.shared(actor.user_id, membership),
            await self._administration.pool_seen_by(actor),
        )
        await interaction.response.send_message(embed=embed_of(card), ephemeral=True)


async def setup(bot: Stemcord) -> None:
    """Add the cog."""
    await bot.add_cog(
        QuotaCog(quotas=bot.services.quotas, administration=bot.services.administration)
    )
