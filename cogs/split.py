"""`/split`: starts a job."""

from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from bot.domain.job import Entry
from bot.domain.recipes import AudioFormat, Recipe
from bot.ui.attachments.song_attachments import source_of
from bot.ui.commands.choices import format_choices, provider_choices, provider_name, recipe_choices
from bot.ui.commands.command_options import AUDIO_FILES, Fields, OfferingCog, offered_command
from bot.ui.commands.rendition_options import Semitones, SpeedPercent, rendition_of
from bot.ui.services import Services
from bot.ui.split_requests import SplitOptions


class SplitCog(OfferingCog):
    """Starts jobs from attached files."""

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits
        self._servers = services.use_cases.admission
        self._requests = services.requests

    def option_fields(self) -> Mapping[str, Fields]:
        """Accept files that are songs, not pictures."""
        return {"file": AUDIO_FILES}

    def option_choices(self) -> Mapping[str, Sequence[Choice[str]]]:
        """Limit the choices to what this installation supports."""
        return {
            "stems": recipe_choices(self._splits.offers()),
            "format": format_choices(self._splits.formats),
        }

    @offered_command(name="split", description=locale_str("Split a song into stems"))
    @app_commands.rename(audio_format="format")
    @app_commands.describe(
        file=locale_str("The song: an audio or video file"),
        stems=locale_str("What to make from it; Karaoke, or what this server prefers"),
        audio_format=locale_str("The stems' file format; MP3, or what this server prefers"),
        provider=locale_str("Which service splits it; best left empty"),
        private=locale_str("Show the answer to you alone"),
        key=locale_str("Semitones up or down, from -12 to 12"),
        speed=locale_str("Percent of the original speed, from 50 to 150"),
    )
    async def split(
        self,
        interaction: discord.Interaction[Any],
        file: discord.Attachment,
        stems: Recipe | None = None,
        audio_format: AudioFormat | None = None,
        provider: app_commands.Range[str, 1, 50] | None = None,
        private: bool | None = None,
        key: Semitones | None = None,
        speed: SpeedPercent | None = None,
    ) -> None:
        """Store the request and acknowledge it. The services do the rest."""
        options = SplitOptions(
            source=source_of(file),
            entry=Entry.COMMAND,
            recipe=stems,
            audio_format=audio_format,
            provider=provider_name(provider, self._splits.provider_titles()),
            is_private=private,
            rendition=rendition_of(key, speed),
        )
        await self._requests.start(interaction, options)

    @split.autocomplete("provider")
    async def suggest_providers(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[Choice[str]]:
        """Suggest providers that can make the chosen stems."""
        rules = await self._servers.rules(interaction.guild_id)
        return provider_choices(
            typed,
            titles=self._splits.provider_titles(),
            offers=self._splits.offers(),
            recipe=rules.recipe_for(interaction.namespace.stems),
        )
