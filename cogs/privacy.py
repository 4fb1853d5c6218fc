"""`/privacy`: shows what is stored about the caller and offers to delete it."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands
from discord.utils import MISSING

from bot.ui.cards.info_cards import privacy_card
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.services import Services


class PrivacyCog(commands.Cog):
    """Shows the caller's stored data and offers to delete it."""

    def __init__(self, services: Services) -> None:
        self._privacy = services.use_cases.privacy

    @app_commands.command(
        name="privacy", description=locale_str("What I keep about you, and how to delete it")
    )
    async def privacy(self, interaction: discord.Interaction[Any]) -> None:
        """Show the caller's stored data, privately."""
        card = privacy_card(keep=self._privacy.keep, recipients=self._privacy.recipients)
        await interaction.response.send_message(
            embed=embed_of(card), view=view_of(card.buttons) or MISSING, ephemeral=True
        )
