"""A small bot on discord.py that uses Discord as Stemcord does."""

import asyncio
import io
import re

import discord
from discord import app_commands
from discord.ext import commands


class Again(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"again:(?P<job>\w+)"
):
    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Again", custom_id=f"again:{job}"))
        self.job = job

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction,
        item: discord.ui.Item[discord.ui.View],
        match: re.Match[str],
    ) -> "Again":
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(content=f"again {self.job}", view=None)


class Wish(discord.ui.Modal, title="Wish"):
    song: discord.ui.TextInput[discord.ui.Modal] = discord.ui.TextInput(label="Song")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"wished {self.song.value}")


def sound(name: str, size_bytes: int = 1000) -> discord.File:
    return discord.File(io.BytesIO(b"\0" * size_bytes), filename=name)


class LibraryBot(commands.AutoShardedBot):
    """Has commands that each try one thing, and records errors and messages for tests."""

    def __init__(self) -> None:
        super().__init__(
            command_prefix=[],
            intents=discord.Intents(guilds=True, dm_messages=True),
            guild_ready_timeout=0.05,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            help_command=None,
        )
        self.interaction: discord.Interaction | None = None
        self.met: list[discord.HTTPException] = []
        self.heard: list[discord.Message] = []
        self.go_on = asyncio.Event()
        self.files: list[discord.File] = [sound("Neon Rain (Vocals).mp3")]
        self.done = asyncio.Event()

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Again)
        self.tree.add_command(split)
        self.tree.add_command(late)
        self.tree.add_command(silent)
        self.tree.add_command(secret)
        self.tree.add_command(wish)
        self.tree.add_command(manage)
        self.tree.add_command(split_this)
        await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            self.heard.append(message)
            await message.channel.send(f"heard {message.content}", reference=message)


def bot_of(interaction: discord.Interaction) -> LibraryBot:
    assert isinstance(interaction.client, LibraryBot)
    interaction.client.interaction = interaction
    return interaction.client


@app_commands.command(description="Split a song")
@app_commands.choices(stems=[app_commands.Choice(name="Karaoke", value="karaoke")])
async def split(
    interaction: discord.Interaction,
    file: discord.Attachment,
    stems: str = "karaoke",
    provider: str = "",
) -> None:
    bot = bot_of(interaction)
    await interaction.response.defer()
    view = discord.ui.View(timeout=None)
    view.add_item(Again("k7f2q"))
    try:
        await interaction.edit_original_response(
            content=f"{file.filename} {stems}", attachments=bot.files, view=view
        )
    except discord.HTTPException as exc:
        bot.met.append(exc)
    bot.done.set()


@split.autocomplete("provider")
async def _providers(
    interaction: discord.Interaction, typed: str
) -> list[app_commands.Choice[str]]:
    names = ["local", "loud"]
    return [app_commands.Choice(name=n.title(), value=n) for n in names if n.startswith(typed)]


@app_commands.command(description="Answer when told to")
async def late(interaction: discord.Interaction) -> None:
    bot = bot_of(interaction)
    await bot.go_on.wait()
    try:
        await interaction.response.send_message("late")
    except discord.HTTPException as exc:
        bot.met.append(exc)
    bot.done.set()


@app_commands.command(description="Defer, and be silent")
async def silent(interaction: discord.Interaction) -> None:
    bot_of(interaction)
    await interaction.response.defer()


@app_commands.command(description="Tell one person")
async def secret(interaction: discord.Interaction) -> None:
    bot_of(interaction)
    await interaction.response.send_message("psst", ephemeral=True)


@app_commands.command(description="Show a form")
async def wish(interaction: discord.Interaction) -> None:
    await interaction.response.send_modal(Wish())


@app_commands.command(description="For managers")
@app_commands.default_permissions(manage_guild=True)
async def manage(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("managed")


@app_commands.context_menu(name="Split this audio")
async def split_this(interaction: discord.Interaction, message: discord.Message) -> None:
    await interaction.response.send_message(f"splitting {message.attachments[0].filename}")
