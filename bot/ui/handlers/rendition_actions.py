"""Handlers for the controls below a result: key, speed, mix, formats.

Everyone who sees a public card may use its controls. Only the presser sees the result.
"""

from dataclasses import replace

import discord

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, JobId, UserId
from bot.domain.recipes import AudioFormat
from bot.domain.renditions import Rendition
from bot.i18n.translation import gettext
from bot.ui.cards.controls import Action, MenuAction, More
from bot.ui.cards.forms import FormAction
from bot.ui.cards.rendition_forms import key_form, mix_form, with_key_and_speed, with_mix
from bot.ui.cards.song_cards import other_recipe_menu
from bot.ui.components.form_modal import SubmittedForm, modal_of
from bot.ui.components.handler_registry import HandlerRegistry, Interaction
from bot.ui.components.rendering import view_of
from bot.ui.services import Services
from bot.ui.texts import messages

_FORMATS = {
    More.MP3: AudioFormat.MP3,
    More.FLAC: AudioFormat.FLAC,
    More.WAV: AudioFormat.WAV,
}


class RenditionActions:
    """Handlers whose subject is a job id and the token of the shown rendition.

    All raise NotFound for a job that the presser can't see, and Rejected for an invalid token.
    """

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits
        self._presenter = services.presenter
        self._zips = services.zips
        self._clips = services.clips

    def register(self, handlers: HandlerRegistry) -> None:
        """Add these handlers to the registry."""
        handlers.add(
            buttons={
                Action.KEY_AND_SPEED: self.ask_for_key,
                Action.MIX: self.ask_for_mix,
                Action.RENDER: self.render,
                Action.ZIP: self.zip,
                Action.TO_DM: self.send_to_dm,
            },
            menus={MenuAction.MORE: self.do_more},
            forms={
                FormAction.KEY_AND_SPEED: self.set_key_and_speed,
                FormAction.MIX: self.set_mix,
            },
        )

    async def ask_for_key(self, interaction: Interaction, subject: str) -> None:
        """Open the form for key and speed, with the presser's last key and speed chosen."""
        job, current = await self._asked(interaction, subject)
        if current == job.request.rendition:
            last = await self._presenter.last_rendition(UserId(interaction.user.id), job)
            if last is not None:
                # The form shows neither levels nor clicks, so it must not restore them.
                current = replace(current, cents=last.cents, speed_percent=last.speed_percent)
        await interaction.response.send_modal(modal_of(key_form(job, current)))

    async def ask_for_mix(self, interaction: Interaction, subject: str) -> None:
        """Open the form for levels."""
        job, current = await self._asked(interaction, subject)
        await interaction.response.send_modal(modal_of(mix_form(job, current)))

    async def set_key_and_speed(self, interaction: Interaction, form: SubmittedForm) -> None:
        """Render in the submitted key and speed."""
        job, current = await self._asked(interaction, form.subject)
        wanted = with_key_and_speed(current, form.values, job.analysis)
        await self._presenter.render(interaction, job, rendition=wanted)

    async def set_mix(self, interaction: Interaction, form: SubmittedForm) -> None:
        """Render the submitted mix."""
        job, current = await self._asked(interaction, form.subject)
        wanted = with_mix(job, current, form.values)
        await self._presenter.render(interaction, job, rendition=wanted)

    async def render(self, interaction: Interaction, subject: str) -> None:
        """Make the button's rendition in the button's format."""
        shown, _, audio_format = subject.rpartition(":")
        job, wanted = await self._asked(interaction, shown)
        await self._presenter.render(
            interaction, job, rendition=wanted, audio_format=_format_of(audio_format)
        )

    async def zip(self, interaction: Interaction, subject: str) -> None:
        """Put the stems of the button's rendition into one file, in the button's format."""
        shown, _, audio_format = subject.rpartition(":")
        job, wanted = await self._asked(interaction, shown)
        await self._zips.zip(
            interaction, job.asked_as(rendition=wanted, audio_format=_format_of(audio_format))
        )

    async def send_to_dm(self, interaction: Interaction, subject: str) -> None:
        """Send the stems by DM. Without a token, send the user's stems in their requested form."""
        job_id, _, token = subject.partition(":")
        if token:
            job, shown = await self._asked(interaction, subject)
        else:
            job = await self._splits.get(JobId(job_id), user_id=UserId(interaction.user.id))
            shown = job.request.rendition
        await self._presenter.send_directly(interaction, job, rendition=shown)

    async def do_more(self, interaction: Interaction, subject: str, value: str) -> None:
        """Perform the choice from the menu below a result."""
        job, shown = await self._asked(interaction, subject)
        more, _, audio_format = value.partition(":")
        match _more(more):
            case More.MP3 | More.FLAC | More.WAV as audio_format:
                await self._presenter.render(
                    interaction, job, rendition=shown, audio_format=_FORMATS[audio_format]
                )
            case More.ZIP:
                zipped_as = _format_of(audio_format) if audio_format else None
                await self._zips.zip(
                    interaction, job.asked_as(rendition=shown, audio_format=zipped_as)
                )
            case More.CLIP:
                await self._clips.show(interaction, job)
            case More.TO_DM:
                await self._presenter.send_directly(interaction, job, rendition=shown)
            case More.OTHER_RECIPE:
                await self._ask_for_recipe(interaction, job)

    async def _ask_for_recipe(self, interaction: Interaction, job: Job) -> None:
        """Offer other recipes to the job's user, who pays for them."""
        own = await self._splits.get(job.id, user_id=UserId(interaction.user.id))
        menu = other_recipe_menu(own, self._splits.offers())
        await interaction.response.send_message(
            gettext(messages.CHOOSE_RECIPE),
            view=view_of(menu=menu) or discord.utils.MISSING,
            ephemeral=True,
        )

    async def _asked(self, interaction: Interaction, subject: str) -> tuple[Job, Rendition]:
        """Return the job and the rendition of the subject."""
        job_id, _, token = subject.partition(":")
        job = await self._splits.get_visible(
            JobId(job_id),
            user_id=UserId(interaction.user.id),
            channel_id=interaction.channel_id,
        )
        try:
            return job, Rendition.from_token(token)
        except ValueError as exc:
            raise Rejected(Reason.OUT_OF_RANGE) from exc


def _format_of(value: str) -> AudioFormat:
    try:
        return AudioFormat(value)
    except ValueError as exc:
        raise Rejected(Reason.OUT_OF_RANGE) from exc


def _more(value: str) -> More:
    try:
        return More(value)
    except ValueError as exc:
        raise Rejected(Reason.OUT_OF_RANGE) from exc
