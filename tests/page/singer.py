"""A small bot for tests of the page, which uses one of each Discord feature."""

import asyncio
import io
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import discord
import numpy as np
from discord import app_commands
from discord.ext import commands

from tests.page.forms import KeyButton, batch, listen, remix

RATE = 8000
SONG_S = 3


def tone(frequency: float = 220.0) -> bytes:
    """Return a short song of one note as a WAV file."""
    time = np.arange(RATE * SONG_S) / RATE
    samples = (8000 * np.sin(2 * np.pi * frequency * time)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(samples.tobytes())
    return file.getvalue()


class AgainButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template="again"):
    """Privately answers the user who presses it."""

    def __init__(self) -> None:
        super().__init__(discord.ui.Button(label="Again", custom_id="again"))

    @classmethod
    async def from_custom_id(cls, _interaction, _item, _match, /):
        return cls()

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Once more, with feeling", ephemeral=True)


class RenameForm(discord.ui.Modal, title="Rename the song"):
    """A form with one question."""

    name: discord.ui.TextInput[discord.ui.View] = discord.ui.TextInput(label="New name")

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        await interaction.response.send_message(f"Renamed to {self.name.value}")


def result_view() -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    view.add_item(AgainButton())
    return view


@app_commands.command()
@app_commands.rename(stems=app_commands.locale_str("stems"))
@app_commands.choices(
    stems=[
        app_commands.Choice(name=app_commands.locale_str(name), value=name)
        for name in ("Karaoke", "Vocals")
    ]
)
async def split(
    interaction: discord.Interaction,
    file: discord.Attachment,
    stems: str = "Karaoke",
    provider: str = "any",
    private: bool = False,
) -> None:
    """Split a song into its stems"""
    await interaction.response.defer(ephemeral=private, thinking=True)
    card = discord.Embed(title=f"{file.filename} · {stems}", description=f"By {provider}: 50 %")
    await interaction.edit_original_response(embed=card)
    await asyncio.sleep(0.2)
    card.description = "Two stems"
    stem = discord.File(io.BytesIO(tone()), "song (Vocals).wav")
    await interaction.edit_original_response(embed=card, attachments=[stem], view=result_view())
    await asyncio.sleep(0.5)
    card.set_footer(text="Kept for a day")
    await interaction.edit_original_response(embed=card)


@split.autocomplete("provider")
async def providers(
    _interaction: discord.Interaction, typed: str
) -> list[app_commands.Choice[str]]:
    names = [name for name in ("audiocleaner", "local") if typed in name]
    return [app_commands.Choice(name=name, value=name) for name in names]


@app_commands.command()
async def rename(interaction: discord.Interaction) -> None:
    """Give the song another name"""
    await interaction.response.send_modal(RenameForm())


@app_commands.command()
async def silent(_interaction: discord.Interaction) -> None:
    """Say nothing at all"""


@app_commands.context_menu(name="Split this audio")
async def split_this(interaction: discord.Interaction, message: discord.Message) -> None:
    names = ", ".join(file.filename for file in message.attachments)
    await interaction.response.send_message(f"Splitting {names}")


class AdminGroup(app_commands.Group, name="admin", description="For the owner"):
    quota = app_commands.Group(name="quota", description="Minutes")

    @quota.command(name="set", description="Set somebody's minutes")
    async def set_minutes(
        self, interaction: discord.Interaction, user: discord.User, minutes: int
    ) -> None:
        await interaction.response.send_message(f"{user.mention} has {minutes} minutes")


class Spanish(app_commands.Translator):
    """Translates a few words into Spanish."""

    words: ClassVar = {
        "split": "separar",
        "Split a song into its stems": "Separa una canción",
        "stems": "pistas",
        "Vocals": "Voz",
        "Split this audio": "Separar este audio",
    }

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        return self.words.get(string.message) if locale is discord.Locale.spain_spanish else None


class Singer(commands.AutoShardedBot):
    """A bot that registers its commands at start."""

    def __init__(self) -> None:
        intents = discord.Intents(guilds=True, dm_messages=True)
        super().__init__(commands.when_mentioned, intents=intents, guild_ready_timeout=0.05)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(AgainButton, KeyButton)
        self.tree.add_command(split)
        self.tree.add_command(rename)
        self.tree.add_command(silent)
        self.tree.add_command(split_this)
        self.tree.add_command(AdminGroup())
        self.tree.add_command(batch)
        self.tree.add_command(remix)
        self.tree.add_command(listen)
        await self.tree.set_translator(Spanish())
        await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        if not message.author.bot and message.attachments:
            await message.reply(f"I heard {message.attachments[0].filename}")


@contextmanager
def discord_at(base_url: str) -> Iterator[None]:
    """Make discord.py use this address for Discord."""
    real = discord.http.Route.BASE
    discord.http.Route.BASE = f"{base_url}/api/v10"
    try:
        yield
    finally:
        discord.http.Route.BASE = real
