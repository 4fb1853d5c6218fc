"""`/jobs`, `/result` and `/cancel`: a user's own jobs."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str
from discord.ext import commands
from discord.utils import MISSING

from bot.domain.job import UserId
from bot.ui.cards.job_cards import is_cancellable, jobs_card
from bot.ui.commands.choices import MAX_CHOICES, job_choices, job_id_of
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.error_answers import say_privately
from bot.ui.services import Services
from bot.ui.texts import messages


class JobsCog(commands.Cog):
    """Shows users their jobs, and cancels them."""

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits
        self._presenter = services.presenter

    @app_commands.command(name="jobs", description=locale_str("Show your songs"))
    async def jobs(self, interaction: discord.Interaction[Any]) -> None:
        """List the caller's jobs, newest first."""
        card = jobs_card(await self._splits.jobs_of(UserId(interaction.user.id)))
        await interaction.response.send_message(
            embed=embed_of(card), view=view_of(card.buttons, card.menu) or MISSING, ephemeral=True
        )

    @app_commands.command(name="result", description=locale_str("Show a song's stems again"))
    @app_commands.describe(job=locale_str("Which one; its short id is below its card"))
    async def result(
        self, interaction: discord.Interaction[Any], job: app_commands.Range[str, 1, 100]
    ) -> None:
        """Show one of the caller's jobs again, in a fresh reply."""
        found = await self._splits.get(job_id_of(job), user_id=UserId(interaction.user.id))
        await self._presenter.show(interaction, found)

    @result.autocomplete("job")
    async def suggest_results(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[Choice[str]]:
        """Suggest the caller's jobs whose stems still exist."""
        return job_choices(typed, await self._splits.with_stems(UserId(interaction.user.id)))

    @app_commands.command(name="cancel", description=locale_str("Stop splitting a song"))
    @app_commands.describe(job=locale_str("Which one; its short id is below its card"))
    async def cancel(
        self, interaction: discord.Interaction[Any], job: app_commands.Range[str, 1, 100]
    ) -> None:
        """Cancel one of the caller's jobs."""
        # Deferred first because stopping a job's step may take longer than Discord waits.
        await interaction.response.defer(ephemeral=True)
        found = await self._splits.cancel(job_id_of(job), user_id=UserId(interaction.user.id))
        await say_privately(interaction, messages.cancelled(found))

    @cancel.autocomplete("job")
    async def suggest_jobs(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[Choice[str]]:
        """Suggest the caller's jobs that can still be cancelled."""
        jobs = await self._splits.jobs_of(UserId(interaction.user.id), limit=MAX_CHOICES)
        return job_choices(typed, filter(is_cancellable, jobs))
