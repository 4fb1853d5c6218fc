"""A bare discord.py bot that only defers, the baseline for bench.burst.

Run it as `python -m bench.bare_bot` in the environment of a sandbox bot.
"""

import os

import discord
from discord import app_commands
from discord.ext import commands
from discord.http import Route


class BareBot(commands.AutoShardedBot):
    """Registers the commands that the burst uses. It shares no code with Stemcord."""

    def __init__(self) -> None:
        super().__init__(
            command_prefix=[],
            intents=discord.Intents(guilds=True, dm_messages=True),
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            help_command=None,
        )

    async def setup_hook(self) -> None:
        """Register the commands."""
        for command in (split, jobs, quota):
            self.tree.add_command(command)
        await self.tree.sync()


@app_commands.command(description="Defer, with a file")
async def split(interaction: discord.Interaction, file: discord.Attachment) -> None:
    """Defer."""
    await interaction.response.defer()


@app_commands.command(description="Defer")
async def jobs(interaction: discord.Interaction) -> None:
    """Defer."""
    await interaction.response.defer()


@app_commands.command(description="Defer")
async def quota(interaction: discord.Interaction) -> None:
    """Defer."""
    await interaction.response.defer()


if __name__ == "__main__":
    Route.BASE = os.environ["DISCORD_API_BASE"]
    BareBot().run(os.environ["DISCORD_TOKEN"], log_handler=None)
