"""Handlers for the form and the card of a batch."""

from bot.domain.errors import NotFound, Reason, Rejected
from bot.domain.job import BatchId, Entry, UserId
from bot.i18n.translation import gettext
from bot.ui.actors import manages_guild
from bot.ui.attachments.song_attachments import source_of
from bot.ui.cards.batch_cards import STEMS
from bot.ui.cards.controls import ALL_SONGS, Action, MenuAction
from bot.ui.cards.forms import FormAction
from bot.ui.components.form_modal import SubmittedForm
from bot.ui.components.handler_registry import HandlerRegistry, Interaction
from bot.ui.error_answers import say_privately
from bot.ui.handlers.job_actions import recipe_of
from bot.ui.services import Services
from bot.ui.texts import batch_texts
from storage.stores.batches import BatchContent


class BatchActions:
    """Handlers whose subject is a batch's id.

    All raise NotFound for a batch that the presser can't see.
    """

    def __init__(self, services: Services) -> None:
        self._batches = services.use_cases.batches
        self._requests = services.batch_requests
        self._presenter = services.presenter
        self._zips = services.zips

    def register(self, handlers: HandlerRegistry) -> None:
        """Add these handlers to the registry."""
        handlers.add(
            buttons={Action.CANCEL_BATCH: self.cancel, Action.ZIP_BATCH: self.zip},
            menus={MenuAction.SHOW_SONG: self.show},
            forms={FormAction.BATCH: self.submit},
        )

    async def submit(self, interaction: Interaction, form: SubmittedForm) -> None:
        """Split the uploaded files."""
        songs = [source_of(file) for file in form.files]
        recipe = recipe_of(form.values[STEMS]) if STEMS in form.values else None
        await self._requests.start(interaction, songs, entry=Entry.COMMAND, recipe=recipe)

    async def cancel(self, interaction: Interaction, subject: str) -> None:
        """Cancel the unfinished songs; a manager of the batch's server may also do so."""
        # Defer first, because stopping jobs may take longer than Discord waits.
        await interaction.response.defer()
        batch_id, user_id = BatchId(subject), UserId(interaction.user.id)
        try:
            await self._batches.cancel(batch_id, user_id=user_id)
        except NotFound:
            if interaction.guild_id is None or not manages_guild(interaction):
                raise
            await self._batches.cancel_in(batch_id, guild_id=interaction.guild_id)
        await say_privately(interaction, gettext(batch_texts.CANCELLED))

    async def show(self, interaction: Interaction, subject: str, value: str) -> None:
        """Show the stems of the chosen song in a fresh reply, or all songs in one file."""
        content = await self._seen(interaction, subject)
        if value == ALL_SONGS:
            await self._zips.zip_songs(interaction, content.with_stems)
            return
        numbers = {str(song.number): song for song in content.songs}
        song = numbers.get(value)
        job = None if song is None else content.job_of(song)
        if job is None:
            raise NotFound(value)
        if job.request.user_id == interaction.user.id:
            await self._presenter.show(interaction, job)
        else:
            await self._presenter.render(interaction, job, rendition=job.request.rendition)

    async def zip(self, interaction: Interaction, subject: str) -> None:
        """Put all songs into one file."""
        content = await self._seen(interaction, subject)
        await self._zips.zip_songs(interaction, content.with_stems)

    async def _seen(self, interaction: Interaction, subject: str) -> BatchContent:
        content = await self._batches.get_visible(
            BatchId(subject),
            user_id=UserId(interaction.user.id),
            channel_id=interaction.channel_id,
        )
        if not content.with_stems:
            raise Rejected(Reason.FILES_EXPIRED)
        return content
