"""Channels as an option of a command."""

import discord
from discord import app_commands


class TalkChannel(app_commands.Transformer):
    """A channel in which people write; its id is enough, so that it need not be known."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        """Have Discord offer channels."""
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        """Leave out what nobody writes in."""
        return [
            discord.ChannelType.text,
            discord.ChannelType.news,
            discord.ChannelType.voice,
            discord.ChannelType.stage_voice,
            discord.ChannelType.forum,
        ]

    async def transform(
        self, interaction: discord.Interaction, value: app_commands.AppCommandChannel, /
    ) -> int:
        """Return the channel's id."""
        return value.id
