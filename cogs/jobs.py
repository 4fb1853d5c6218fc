"""`/jobs` and `/cancel`: a user's own jobs."""

import discord
from discord import app_commands
from discord.app_commands import Choice
from discord.ext import commands
from discord.utils import MISSING

from bot.domain.job import JobId, UserId
from bot.services.splits import SplitService
from bot.ui import messages
from bot.ui.answers import say_privately
from bot.ui.buttons import CancelButton
from bot.ui.card import is_cancellable, jobs_card
from bot.ui.choices import job_choices
from bot.ui.client import Stemcord
from bot.ui.rendering import embed_of, view_of


class JobsCog(commands.Cog):
    """Shows jobs to whom they belong, and cancels them."""

    def __init__(self, *, splits: SplitService) -> None:
        self._splits = splits

    @app_commands.command(name="jobs", description="Show your songs")
    async def jobs(self, interaction: discord.Interaction[Stemcord]) -> None:
        """List the caller's jobs, newest first."""
        card = jobs_card(await self._splits.jobs_of(UserId(interaction.user.id)))
        await interaction.response.send_message(
            embed=embed_of(card), view=view_of(card.buttons) or MISSING, ephemeral=True
        )

    @app_commands.command(name="cancel", description="Stop splitting a song")
    @app_commands.describe(job="Which one; its short id stands below its card")
    async def cancel(
        self, interaction: discord.Interaction[Stemcord], job: app_commands.Range[str, 1, 100]
    ) -> None:
        """Cancel one of the caller's jobs."""
        # First, because a job's step may take longer to stop than Discord waits.
        await interaction.response.defer(ephemeral=True)
        job_id = JobId(job.strip().lower())
        found = await self._splits.cancel(job_id, user_id=UserId(interaction.user.id))
        await say_privately(interaction, messages.cancelled(found))

    @cancel.autocomplete("job")
    async def suggest_jobs(
        self, interaction: discord.Interaction[Stemcord], typed: str
    ) -> list[Choice[str]]:
        """Suggest the caller's jobs that can still be cancelled."""
        jobs = await self._splits.jobs_of(UserId(interaction.user.id), limit=25)
        return job_choices(typed, filter(is_cancellable, jobs))


async def setup(bot: Stemcord) -> None:
    """Add the cog, and the button that does the same."""
    bot.add_dynamic_items(CancelButton)
    await bot.add_cog(JobsCog(splits=bot.services.splits))
