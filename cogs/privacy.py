"""`/privacy`: what is kept of the caller, and how all of it is deleted."""

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.admin.personal_data import Privacy
from bot.i18n.translation import gettext
from bot.ui.cards.card import Card, Tone
from bot.ui.client import Stemcord
from bot.ui.components.forget_button import ForgetButton, Step, view_with
from bot.ui.components.rendering import embed_of
from bot.ui.texts import privacy_texts as texts


class PrivacyCog(commands.Cog):
    """Says what is kept, and offers to delete it."""

    def __init__(self, *, privacy: Privacy) -> None:
        self._privacy = privacy

    @app_commands.command(
        name="privacy", description=locale_str("What I keep about you, and how to delete it")
    )
    async def privacy(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Say it, to the caller alone."""
        lines = texts.privacy_lines(keep=self._privacy.keep, recipients=self._privacy.recipients)
        await interaction.response.send_message(
            embed=embed_of(Card(title=gettext(texts.TITLE), lines=lines, tone=Tone.WORKING)),
            view=view_with(Step.ASK),
            ephemeral=True,
        )


async def setup(bot: Stemcord) -> None:
    """Add the cog and its button."""
    bot.add_dynamic_items(ForgetButton)
    await bot.add_cog(PrivacyCog(privacy=bot.services.privacy))
