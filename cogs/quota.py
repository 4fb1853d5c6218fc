"""`/quota`: a user's minutes."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.ui.actors import actor_of
from bot.ui.cards.info_cards import quota_card
from bot.ui.components.rendering import embed_of
from bot.ui.context import membership_of
from bot.ui.services import Services


class QuotaCog(commands.Cog):
    """Shows how many minutes the caller has left."""

    def __init__(self, services: Services) -> None:
        self._quotas = services.use_cases.quotas
        self._administration = services.use_cases.administration

    @app_commands.command(
        name="quota", description=locale_str("Show how many minutes you have left")
    )
    async def quota(self, interaction: discord.Interaction[Any]) -> None:
        """Show the caller their minutes for this period, privately."""
        actor, membership = actor_of(interaction), membership_of(interaction)
        standing = await self._quotas.standing(actor.user_id, membership)
        pool = await self._administration.pool_seen_by(actor)
        card = quota_card(standing.own, standing.shared, pool)
        await interaction.response.send_message(embed=embed_of(card), ephemeral=True)
