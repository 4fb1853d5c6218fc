"""A command option that takes a channel."""

import discord
from discord import app_commands


class ChannelOption(app_commands.Transformer):
    """Accepts a text channel, even one that the bot cannot see, and returns its id."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        """Make Discord offer channels."""
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        """Offer only kinds of channels in which people write."""
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
