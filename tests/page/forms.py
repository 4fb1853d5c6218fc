"""Further features of a bot: a form with one of each field, links, described files."""

import io
from typing import Literal

import discord
from discord import app_commands

LISTEN_URL = "https://stems.example.org/m/ticket/"
SPEEDS = (50, 75, 100, 125)


class BatchForm(discord.ui.Modal, title="Split several songs"):
    """A form with files, a select, a radio group, check boxes and a text."""

    songs: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Songs",
        description="Up to ten, each becomes a job",
        component=discord.ui.FileUpload(max_values=10),
    )
    key: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Key",
        component=discord.ui.Select(
            options=[
                discord.SelectOption(label=f"{key:+d}" if key else "As it is", value=str(key))
                for key in range(-12, 13)
            ]
        ),
    )
    speed: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Speed",
        component=discord.ui.RadioGroup(
            options=[
                discord.RadioGroupOption(label=f"{speed} %", value=str(speed)) for speed in SPEEDS
            ]
        ),
    )
    extras: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Extras",
        component=discord.ui.CheckboxGroup(
            required=False,
            options=[
                discord.CheckboxGroupOption(
                    label="Click", value="click", description="A beat through the song"
                ),
                discord.CheckboxGroupOption(label="Count-in", value="count-in"),
            ],
        ),
    )
    note: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Note",
        description="Shown on the card",
        component=discord.ui.TextInput(required=False, min_length=3, max_length=40),
    )

    def __init__(self) -> None:
        super().__init__()
        for option in [*self._items("key"), *self._items("speed")]:
            option.default = option.value in ("0", "100")

    def _items(self, name: str) -> list[discord.SelectOption]:
        options: list[discord.SelectOption] = getattr(self, name).component.options
        return options

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        lines = [
            "songs: " + ", ".join(file.filename for file in _part(self.songs).values),
            "key: " + ", ".join(_part(self.key).values),
            f"speed: {_part(self.speed).value}",
            "extras: " + ", ".join(_part(self.extras).values),
            f"note: {_part(self.note).value}",
        ]
        await interaction.response.send_message("\n".join(lines))


class KeyForm(discord.ui.Modal, title="Key & speed"):
    """A form that a button opens and that changes the button's message."""

    private: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="For me alone", component=discord.ui.Checkbox(default=True)
    )

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        await interaction.response.edit_message(content=f"private: {_part(self.private).value}")


class KeyButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template="key"):
    """Opens the form of a card."""

    def __init__(self) -> None:
        super().__init__(discord.ui.Button(label="Key & speed", custom_id="key"))

    @classmethod
    async def from_custom_id(cls, _interaction, _item, _match, /):
        return cls()

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(KeyForm())


class MixSelect(discord.ui.Select[discord.ui.View]):
    """A menu with its first option chosen."""

    def __init__(self) -> None:
        options = [
            discord.SelectOption(label="Every stem", value="stems", default=True),
            discord.SelectOption(label="One file", value="song"),
        ]
        super().__init__(placeholder="How it is mixed", options=options, required=False)

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"mix: {', '.join(self.values)}")


@app_commands.command()
async def batch(interaction: discord.Interaction) -> None:
    """Split several songs"""
    await interaction.response.send_modal(BatchForm())


@app_commands.command()
async def remix(
    interaction: discord.Interaction,
    job: str,
    key: app_commands.Range[int, -12, 12] = 0,
    speed: app_commands.Range[int, 50, 150] = 100,
    mix: Literal["stems", "song"] = "stems",
) -> None:
    """Play a result in another key"""
    await interaction.response.send_message(f"{job} {key:+d} {speed} {mix}")


@remix.autocomplete("job")
async def jobs(_interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    found = {"Neon Rain · 2 minutes ago": "k7f2q", "Blue Hour · yesterday": "m3x9p"}
    return [
        app_commands.Choice(name=name, value=job)
        for name, job in found.items()
        if typed.lower() in name.lower()
    ]


@app_commands.command()
async def listen(interaction: discord.Interaction) -> None:
    """Show a stem and where to hear it"""
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Listen", url=LISTEN_URL))
    view.add_item(KeyButton())
    view.add_item(MixSelect())
    stem = discord.File(
        io.BytesIO(b"RIFF"), "song (Vocals).wav", description="The singer alone, without the band"
    )
    await interaction.response.send_message("Here it is", file=stem, view=view)


def _part(label):
    return label.component
