"""Buttons about one job; they carry its id, so they work after a restart."""

import re
from abc import abstractmethod
from typing import Any, Self

import discord

from bot.domain.job import JobId, UserId
from bot.ui import messages
from bot.ui.answers import answer_error, say_privately
from bot.ui.client import Stemcord


class JobButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"(?!)"):
    """Answers errors from the same table as commands; discord.py would only log them."""

    def __init__(self, job_id: JobId, button: discord.ui.Button[Any]) -> None:
        super().__init__(button)
        self.job_id = job_id

    @abstractmethod
    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Do what the button says; whatever is raised is answered."""

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Press the button."""
        try:
            await self.press(interaction)
        except Exception as exc:  # noqa: BLE001 - answered and logged there
            await answer_error(interaction, exc)


class CancelButton(JobButton, template=r"cancel:(?P<job>[a-z0-9]+)"):
    """Cancels a job of the person who presses it."""

    def __init__(self, job_id: JobId, label: str = "Cancel") -> None:
        super().__init__(job_id, discord.ui.Button(label=label, custom_id=f"cancel:{job_id}"))

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],
        item: discord.ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> Self:
        """Build the button again from what Discord kept."""
        return cls(JobId(match["job"]))

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Cancel; the job's card shows it, and elsewhere a sentence does."""
        # First, because a job's step may take longer to stop than Discord waits.
        await interaction.response.defer()
        splits = interaction.client.services.splits
        job = await splits.cancel(self.job_id, user_id=UserId(interaction.user.id))
        if interaction.message is None or interaction.message.id != job.reply.message_id:
            await say_privately(interaction, messages.cancelled(job))
