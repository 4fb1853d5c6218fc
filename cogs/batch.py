"""`/batch`: opens the form that splits several songs."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.ui.cards.batch_cards import batch_form
from bot.ui.components.form_modal import modal_of
from bot.ui.services import Services


class BatchCog(commands.Cog):
    """Asks for several songs."""

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits
        self._requests = services.batch_requests

    @app_commands.command(name="batch", description=locale_str("Split several songs at once"))
    async def batch(self, interaction: discord.Interaction[Any]) -> None:
        """Open the form, whose submission starts the batch."""
        chosen = await self._requests.recipe_for(interaction.guild_id)
        await interaction.response.send_modal(modal_of(batch_form(self._splits.offers(), chosen)))
