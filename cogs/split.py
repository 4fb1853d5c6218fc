"""`/split`: starts a job."""

from collections.abc import Mapping, Sequence

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from bot.accounts.guild_rules import GuildAdmission
from bot.domain.clock import Clock
from bot.domain.job import Request, Source, UserId
from bot.domain.recipes import AudioFormat, Recipe
from bot.jobs.split_service import SplitService
from bot.ui.acknowledgement import start_split
from bot.ui.client import Stemcord
from bot.ui.commands.choices import format_choices, provider_choices, provider_name, recipe_choices
from bot.ui.commands.command_options import AUDIO_FILES, Fields, OfferingCog, offered_command
from bot.ui.context import reply_of


class SplitCog(OfferingCog):
    """Takes requests."""

    def __init__(self, *, splits: SplitService, servers: GuildAdmission, clock: Clock) -> None:
        self._splits = splits
        self._servers = servers
        self._clock = clock

    def option_fields(self) -> Mapping[str, Fields]:
        """Take songs, not pictures."""
        return {"file": AUDIO_FILES}

    def option_choices(self) -> Mapping[str, Sequence[Choice[str]]]:
        """Offer what this installation reaches."""
        return {
            "stems": recipe_choices(self._splits.offers()),
            "format": format_choices(self._splits.formats),
        }

    @offered_command(name="split", description=locale_str("Split a song into stems"))
    @app_commands.rename(audio_format="format")
    @app_commands.describe(
        file=locale_str("The song: an audio or video file"),
        stems=locale_str(
            "What you want of it; Karaoke, or what this server prefers, if you do not say"
        ),
        audio_format=locale_str("How the stems are encoded; MP3, or what this server prefers"),
        provider=locale_str("Who separates it; best left open"),
        private=locale_str("Show the answer to you alone"),
    )
    async def split(
        self,
        interaction: discord.Interaction[Stemcord],
        file: discord.Attachment,
        stems: Recipe | None = None,
        audio_format: AudioFormat | None = None,
        provider: app_commands.Range[str, 1, 50] | None = None,
        private: bool | None = None,
    ) -> None:
        """Store the request, acknowledge it, and leave the rest to the services."""
        rules = await self._servers.rules(interaction.guild_id)
        request = Request(
            user_id=UserId(interaction.user.id),
            # The title is the name before Discord took the letters out that it does not like.
            source=Source(filename=file.title or file.filename, url=file.url, size_bytes=file.size),
            recipe=rules.recipe_for(stems),
            audio_format=rules.format_for(audio_format),
            provider=provider_name(provider, self._splits.provider_titles()),
        )
        private = rules.is_private_for(private)
        reply = reply_of(interaction, private=private, now=self._clock.now())
        await start_split(interaction, self._splits, request=request, reply=reply)

    @split.autocomplete("provider")
    async def suggest_providers(
        self, interaction: discord.Interaction[Stemcord], typed: str
    ) -> list[Choice[str]]:
        """Suggest who makes the stems chosen so far."""
        rules = await self._servers.rules(interaction.guild_id)
        return provider_choices(
            typed,
            titles=self._splits.provider_titles(),
            offers=self._splits.offers(),
            recipe=rules.recipe_for(interaction.namespace.stems),
        )


async def setup(bot: Stemcord) -> None:
    """Add the cog."""
    await bot.add_cog(
        SplitCog(splits=bot.services.splits, servers=bot.services.servers, clock=bot.services.clock)
    )
