"""Buttons about one job; they carry its id, so they work after a restart."""

import re
from typing import Any, ClassVar, Self

import discord

from bot.domain.errors import NotFound
from bot.domain.job import Job, JobId, UserId
from bot.domain.recipes import AudioFormat
from bot.i18n.translation import gettext
from bot.ui.actors import manages_guild
from bot.ui.cards.controls import Action
from bot.ui.client import Stemcord
from bot.ui.components.menus import RecipeMenu
from bot.ui.components.persistent_item import PersistentItem
from bot.ui.components.start_again import start_again
from bot.ui.error_answers import say_privately
from bot.ui.texts import messages

_JOB = r":(?P<job>[a-z0-9]+)"


class JobButton(PersistentItem, template=r"(?!)"):
    """A button whose custom id is its action and its job."""

    action: ClassVar[Action]
    style: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary

    def __init__(self, job_id: JobId, label: str | None = None) -> None:
        super().__init__(
            discord.ui.Button(
                label=label or "…", style=self.style, custom_id=f"{self.action}:{job_id}"
            )
        )
        self.job_id = job_id

    @classmethod
    def rebuilt(cls, match: re.Match[str], item: discord.ui.Item[Any]) -> Self:
        """Build the button again from what Discord kept."""
        return cls(JobId(match["job"]))

    async def own_job(self, interaction: discord.Interaction[Stemcord]) -> Job:
        """Return the job if it is the presser's own. Raises NotFound."""
        return await interaction.client.services.splits.get(
            self.job_id, user_id=UserId(interaction.user.id)
        )


class CancelButton(JobButton, template="cancel" + _JOB):
    """Cancels a job of the person who presses it, or of the server that they manage."""

    action = Action.CANCEL

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Cancel; the job's card shows it, and elsewhere a sentence does."""
        # First, because a job's step may take longer to stop than Discord waits.
        await interaction.response.defer()
        job = await self._cancel(interaction)
        if interaction.message is None or interaction.message.id != job.reply.message_id:
            await say_privately(interaction, messages.cancelled(job))

    async def _cancel(self, interaction: discord.Interaction[Stemcord]) -> Job:
        splits = interaction.client.services.splits
        try:
            return await splits.cancel(self.job_id, user_id=UserId(interaction.user.id))
        except NotFound:
            if interaction.guild_id is None or not manages_guild(interaction):
                raise
            return await splits.cancel_in(self.job_id, guild_id=interaction.guild_id)


class TryAgainButton(JobButton, template="again" + _JOB):
    """Starts a failed job anew, as another job."""

    action = Action.TRY_AGAIN
    style = discord.ButtonStyle.primary

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Start anew."""
        await start_again(interaction, await self.own_job(interaction))


class OtherRecipeButton(JobButton, template="other" + _JOB):
    """Asks for which recipe the same song is to be split again."""

    action = Action.OTHER_RECIPE

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Ask the presser alone."""
        job = await self.own_job(interaction)
        view = discord.ui.View(timeout=None)
        offers = interaction.client.services.splits.offers()
        view.add_item(RecipeMenu.offering(job, offers))
        await interaction.response.send_message(
            gettext(messages.CHOOSE_RECIPE), view=view, ephemeral=True
        )


class ShowButton(JobButton, template="show" + _JOB):
    """Shows the job again in a fresh reply."""

    action = Action.SHOW
    audio_format: ClassVar[AudioFormat | None] = None

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Show it."""
        job = await self.own_job(interaction)
        shows = interaction.client.services.shows
        await shows.show(interaction, job, audio_format=self.audio_format)


class Mp3Button(ShowButton, template="as-mp3" + _JOB):
    """Shows the stems again as MP3."""

    action = Action.AS_MP3
    audio_format = AudioFormat.MP3


class FlacButton(ShowButton, template="as-flac" + _JOB):
    """Shows the stems again as FLAC."""

    action = Action.AS_FLAC
    audio_format = AudioFormat.FLAC


class WavButton(ShowButton, template="as-wav" + _JOB):
    """Shows the stems again as WAV."""

    action = Action.AS_WAV
    audio_format = AudioFormat.WAV


class ToDmButton(JobButton, template="dm" + _JOB):
    """Sends the stems to the DM of the person who presses it."""

    action = Action.TO_DM

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Send them."""
        job = await self.own_job(interaction)
        await interaction.client.services.shows.send_directly(interaction, job)


class DeleteButton(JobButton, template="delete" + _JOB):
    """Deletes one's own stems and this message; for a server's manager, the message alone."""

    action = Action.DELETE

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Delete; nothing brings it back."""
        await interaction.response.defer()
        try:
            job = await self.own_job(interaction)
        except NotFound:
            if not manages_guild(interaction):
                raise
        else:
            await interaction.client.services.showings.discard(job)
        try:
            # By the interaction, which reaches the message wherever it stands.
            await interaction.delete_original_response()
        except discord.HTTPException:
            await say_privately(interaction, gettext(messages.DELETE_REFUSED))


BUTTONS: dict[Action, type[JobButton]] = {
    kind.action: kind
    for kind in (
        CancelButton,
        TryAgainButton,
        OtherRecipeButton,
        ShowButton,
        Mp3Button,
        FlacButton,
        WavButton,
        ToDmButton,
        DeleteButton,
    )
}
