"""The port through which buttons and commands have finished stems shown again."""

from typing import Any, Protocol

import discord

from bot.domain.job import Job
from bot.domain.recipes import AudioFormat


class Presenter(Protocol):
    """Whoever can show a job in a message of its own. Each answers the interaction."""

    async def show(
        self,
        interaction: discord.Interaction[Any],
        job: Job,
        *,
        audio_format: AudioFormat | None = None,
    ) -> None:
        """Show the caller's job, as it was asked for or in another format."""
        ...

    async def send_directly(self, interaction: discord.Interaction[Any], job: Job) -> None:
        """Send the stems of the caller's job to their DM."""
        ...
