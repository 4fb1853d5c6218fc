"""`/jobs`, `/result` and `/cancel`: a user's own jobs."""

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str
from discord.ext import commands
from discord.utils import MISSING

from bot.domain.job import JobId, UserId
from bot.jobs.split_service import SplitService
from bot.ui.cards.card import is_cancellable, jobs_card
from bot.ui.client import Stemcord
from bot.ui.commands.choices import job_choices
from bot.ui.components.buttons import BUTTONS
from bot.ui.components.menus import RecipeMenu, ShowMenu
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.error_answers import say_privately
from bot.ui.presenter_port import Presenter
from bot.ui.texts import messages


class JobsCog(commands.Cog):
    """Shows jobs to whom they belong, and cancels them."""

    def __init__(self, *, splits: SplitService, shows: Presenter) -> None:
        self._splits = splits
        self._shows = shows

    @app_commands.command(name="jobs", description=locale_str("Show your songs"))
    async def jobs(self, interaction: discord.Interaction[Stemcord]) -> None:
        """List the caller's jobs, newest first."""
        card = jobs_card(await self._splits.jobs_of(UserId(interaction.user.id)))
        await interaction.response.send_message(
            embed=embed_of(card), view=view_of(card.buttons, card.menu) or MISSING, ephemeral=True
        )

    @app_commands.command(name="result", description=locale_str("Show a song's stems again"))
    @app_commands.describe(job=locale_str("Which one; its short id stands below its card"))
    async def result(
        self, interaction: discord.Interaction[Stemcord], job: app_commands.Range[str, 1, 100]
    ) -> None:
        """Show one of the caller's jobs again, in a fresh reply."""
        found = await self._splits.get(_typed(job), user_id=UserId(interaction.user.id))
        await self._shows.show(interaction, found)

    @result.autocomplete("job")
    async def suggest_results(
        self, interaction: discord.Interaction[Stemcord], typed: str
    ) -> list[Choice[str]]:
        """Suggest the caller's jobs whose stems are kept."""
        return job_choices(typed, await self._splits.with_stems(UserId(interaction.user.id)))

    @app_commands.command(name="cancel", description=locale_str("Stop splitting a song"))
    @app_commands.describe(job=locale_str("Which one; its short id stands below its card"))
    async def cancel(
        self, interaction: discord.Interaction[Stemcord], job: app_commands.Range[str, 1, 100]
    ) -> None:
        """Cancel one of the caller's jobs."""
        # First, because a job's step may take longer to stop than Discord waits.
        await interaction.response.defer(ephemeral=True)
        found = await self._splits.cancel(_typed(job), user_id=UserId(interaction.user.id))
        await say_privately(interaction, messages.cancelled(found))

    @cancel.autocomplete("job")
    async def suggest_jobs(
        self, interaction: discord.Interaction[Stemcord], typed: str
    ) -> list[Choice[str]]:
        """Suggest the caller's jobs that can still be cancelled."""
        jobs = await self._splits.jobs_of(UserId(interaction.user.id), limit=25)
        return job_choices(typed, filter(is_cancellable, jobs))


def _typed(job: str) -> JobId:
    return JobId(job.strip().strip("`").lower())


async def setup(bot: Stemcord) -> None:
    """Add the cog, and the buttons and menus of its cards."""
    bot.add_dynamic_items(*BUTTONS.values(), ShowMenu, RecipeMenu)
    await bot.add_cog(JobsCog(splits=bot.services.splits, shows=bot.services.shows))
