"""Handlers of buttons and menus for one job; most are for the job's user only."""

from functools import partial

import discord

from bot.domain.errors import NotFound, Reason, Rejected
from bot.domain.job import Job, JobId, UserId
from bot.domain.recipes import AudioFormat, Recipe
from bot.i18n.translation import gettext
from bot.ui.actors import manages_guild
from bot.ui.cards.controls import Action, MenuAction
from bot.ui.cards.song_cards import other_recipe_menu
from bot.ui.components.handler_registry import HandlerRegistry, Interaction
from bot.ui.components.rendering import view_of
from bot.ui.error_answers import say_privately
from bot.ui.services import Services
from bot.ui.texts import messages


class JobActions:
    """Handlers whose subject is a job id. Most raise NotFound for another user's job."""

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits
        self._redelivery = services.use_cases.redelivery
        self._requests = services.requests
        self._presenter = services.presenter

    def register(self, handlers: HandlerRegistry) -> None:
        """Add these handlers to the registry."""
        handlers.add(
            buttons={
                Action.CANCEL: self.cancel,
                Action.TRY_AGAIN: self.try_again,
                Action.OTHER_RECIPE: self.ask_for_recipe,
                Action.SHOW: self.show,
                Action.AS_MP3: partial(self.show, audio_format=AudioFormat.MP3),
                Action.AS_FLAC: partial(self.show, audio_format=AudioFormat.FLAC),
                Action.AS_WAV: partial(self.show, audio_format=AudioFormat.WAV),
                Action.DELETE: self.delete,
            },
            menus={
                MenuAction.SHOW_JOB: self.show_chosen,
                MenuAction.SPLIT_AGAIN: self.split_again,
            },
        )

    async def cancel(self, interaction: Interaction, subject: str) -> None:
        """Cancel the job; a manager of its server may also do so."""
        # Defer first, because stopping a job's step may take longer than Discord waits.
        await interaction.response.defer()
        job = await self._cancel(interaction, JobId(subject))
        # The job's own card shows the cancellation; elsewhere a sentence is needed.
        if interaction.message is None or interaction.message.id != job.reply.message_id:
            await say_privately(interaction, messages.cancelled(job))

    async def try_again(self, interaction: Interaction, subject: str) -> None:
        """Start a failed job again, as a new job."""
        await self._requests.start_again(interaction, await self._own_job(interaction, subject))

    async def ask_for_recipe(self, interaction: Interaction, subject: str) -> None:
        """Offer the other recipes for the job's song."""
        job = await self._own_job(interaction, subject)
        menu = other_recipe_menu(job, self._splits.offers())
        await interaction.response.send_message(
            gettext(messages.CHOOSE_RECIPE),
            view=view_of(menu=menu) or discord.utils.MISSING,
            ephemeral=True,
        )

    async def split_again(self, interaction: Interaction, subject: str, value: str) -> None:
        """Split the song with the chosen recipe, as a new job."""
        job = await self._own_job(interaction, subject)
        await self._requests.start_again(interaction, job, recipe=recipe_of(value))

    async def show(
        self, interaction: Interaction, subject: str, *, audio_format: AudioFormat | None = None
    ) -> None:
        """Show the job again in a new reply, in another format if one is given."""
        job = await self._own_job(interaction, subject)
        await self._presenter.show(interaction, job, audio_format=audio_format)

    async def show_chosen(self, interaction: Interaction, subject: str, value: str) -> None:
        """Show the chosen job again in a new reply."""
        await self.show(interaction, value)

    async def delete(self, interaction: Interaction, subject: str) -> None:
        """Delete the user's stems and the message; a manager deletes the message only."""
        await interaction.response.defer()
        try:
            job = await self._own_job(interaction, subject)
        except NotFound:
            if not manages_guild(interaction):
                raise
        else:
            await self._redelivery.discard(job)
        try:
            # The interaction can delete the message wherever it is.
            await interaction.delete_original_response()
        except discord.HTTPException:
            await say_privately(interaction, gettext(messages.DELETE_REFUSED))

    async def _own_job(self, interaction: Interaction, subject: str) -> Job:
        return await self._splits.get(JobId(subject), user_id=UserId(interaction.user.id))

    async def _cancel(self, interaction: Interaction, job_id: JobId) -> Job:
        try:
            return await self._splits.cancel(job_id, user_id=UserId(interaction.user.id))
        except NotFound:
            if interaction.guild_id is None or not manages_guild(interaction):
                raise
            return await self._splits.cancel_in(job_id, guild_id=interaction.guild_id)


def recipe_of(value: str) -> Recipe:
    """Return the recipe with that value. Raises Rejected if this version has none."""
    try:
        return Recipe(value)
    except ValueError as exc:
        raise Rejected(Reason.UNKNOWN_RECIPE) from exc
