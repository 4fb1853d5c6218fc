"""`/remix`: renders a finished result in another key, at another speed, or as another mix."""

from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from bot.domain.job import UserId
from bot.domain.recipes import AudioFormat
from bot.domain.renditions import NamedMix
from bot.ui.cards.rendition_forms import named_mix
from bot.ui.commands.choices import format_choices, job_choices, job_id_of
from bot.ui.commands.command_options import OfferingCog, offered_command
from bot.ui.commands.rendition_options import (
    Semitones,
    SpeedPercent,
    mix_options,
    rendition_of,
)
from bot.ui.services import Services


class RemixCog(OfferingCog):
    """Renders the caller's finished results."""

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits
        self._presenter = services.presenter

    def option_choices(self) -> Mapping[str, Sequence[Choice[str]]]:
        """Return the choices for named mixes and for formats that can be delivered."""
        return {"mix": mix_options(), "format": format_choices(self._splits.formats)}

    @offered_command(
        name="remix", description=locale_str("Get a song in another key, speed or mix; free")
    )
    @app_commands.rename(audio_format="format")
    @app_commands.describe(
        job=locale_str("Which song; its short id is below its card"),
        key=locale_str("Semitones up or down, from -12 to 12"),
        speed=locale_str("Percent of the original speed, from 50 to 150"),
        mix=locale_str("Every stem in its own file, or one file"),
        audio_format=locale_str("The file format; the one it was made in, if left empty"),
    )
    async def remix(
        self,
        interaction: discord.Interaction[Any],
        job: app_commands.Range[str, 1, 100],
        key: Semitones | None = None,
        speed: SpeedPercent | None = None,
        mix: NamedMix | None = None,
        audio_format: AudioFormat | None = None,
    ) -> None:
        """Render one of the caller's results, and show the rendition to the caller only."""
        found = await self._splits.get(job_id_of(job), user_id=UserId(interaction.user.id))
        rendition = rendition_of(key, speed)
        if mix is not None:
            rendition = named_mix(found, rendition, mix)
        await self._presenter.render(
            interaction, found, rendition=rendition, audio_format=audio_format
        )

    @remix.autocomplete("job")
    async def suggest_results(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[Choice[str]]:
        """Suggest the caller's jobs that still have stems."""
        return job_choices(typed, await self._splits.with_stems(UserId(interaction.user.id)))
