"""Choosing what becomes of a song in a message: which song, and which recipe.

What is chosen stands in the custom ids, by message and number, so it works after a restart.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Self

import discord

from bot.domain.job import Entry, Request, Source, UserId
from bot.domain.recipes import AudioFormat, Recipe
from bot.domain.titles import title_of
from bot.i18n.translation import gettext
from bot.scheduling.plans import Offer
from bot.ui.acknowledgement import start_split
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Choice, Menu
from bot.ui.client import Stemcord
from bot.ui.commands.choices import recipe_choices
from bot.ui.components.persistent_item import PersistentItem, PersistentMenu
from bot.ui.context import reply_of
from bot.ui.texts import labels, messages
from bot.ui.texts.names import RECIPES
from bot.ui.texts.safe_text import safe, shortened

MOST_WISHED = frozenset(
    {Recipe.KARAOKE, Recipe.INSTRUMENTAL, Recipe.VOCALS, Recipe.FOUR_STEMS, Recipe.NO_DRUMS}
)
"""Recipes with a button of their own; the rest are in a menu."""
MOST_SONGS = 25

_SONG = r"(?P<message>\d+):(?P<number>\d+)"


def recipes_view(offers: Iterable[Offer], message_id: int, number: int) -> discord.ui.View:
    """Offer every recipe for one song of a message."""
    offered = list(offers)
    wished = [offer for offer in offered if offer.recipe in MOST_WISHED]
    view = discord.ui.View(timeout=None)
    for offer in wished:
        view.add_item(MakeButton(offer.recipe, message_id, number))
    if rest := [offer for offer in offered if offer not in wished]:
        choices = tuple(Choice(each.value, each.name) for each in recipe_choices(rest))
        custom_id = f"more:{message_id}:{number}"
        view.add_item(
            MoreMenu(
                Menu(custom_id=custom_id, placeholder=gettext(labels.MORE_STEMS), choices=choices)
            )
        )
    return view


def songs_view(songs: Sequence[Source], message_id: int, *, is_for_dm: bool) -> discord.ui.View:
    """Offer the songs of a message."""
    kind = SongMenu if is_for_dm else PickMenu
    choices = tuple(
        Choice(str(number), shortened(title_of(song.filename), 100))
        for number, song in enumerate(songs[:MOST_SONGS])
    )
    view = discord.ui.View(timeout=None)
    custom_id = f"{kind.prefix}:{message_id}"
    view.add_item(
        kind(Menu(custom_id=custom_id, placeholder=gettext(labels.CHOOSE_SONG), choices=choices))
    )
    return view


def song_card(song: Source) -> Card:
    """Ask what to make of a song."""
    return Card(
        title=safe(title_of(song.filename)),
        lines=(gettext(messages.CHOOSE_RECIPE),),
        tone=Tone.WAITING,
    )


async def make(
    interaction: discord.Interaction[Stemcord],
    song: Source,
    *,
    entry: Entry,
    recipe: Recipe | None = None,
) -> None:
    """Start a job from a message's song; what is not said is as the server prefers.

    Raises Rejected.
    """
    services = interaction.client.services
    now = services.clock.now()
    rules = await services.servers.rules(interaction.guild_id)
    request = Request(
        user_id=UserId(interaction.user.id),
        source=await services.addresses.in_haste(song, now=now),
        recipe=recipe or rules.recipe or Recipe.KARAOKE,
        audio_format=rules.audio_format or AudioFormat.MP3,
        entry=entry,
    )
    reply = reply_of(interaction, private=bool(rules.is_private), now=now)
    await start_split(interaction, services.splits, request=request, reply=reply)


class MakeButton(PersistentItem, template=r"make:(?P<recipe>[a-z0-9-]+):" + _SONG):
    """Makes one recipe of one song."""

    def __init__(self, recipe: Recipe, message_id: int, number: int) -> None:
        style = discord.ButtonStyle.secondary
        if recipe is Recipe.KARAOKE:
            style = discord.ButtonStyle.primary
        custom_id = f"make:{recipe}:{message_id}:{number}"
        super().__init__(
            discord.ui.Button(label=gettext(RECIPES[recipe]), style=style, custom_id=custom_id)
        )
        self._asked = (message_id, number, recipe)

    @classmethod
    def rebuilt(cls, match: re.Match[str], item: discord.ui.Item[Any]) -> Self:
        """Build the button again from what Discord kept."""
        return cls(Recipe(match["recipe"]), int(match["message"]), int(match["number"]))

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Start the job."""
        message_id, number, recipe = self._asked
        song = await interaction.client.services.picks.find(interaction, message_id, number)
        await make(interaction, song, entry=Entry.MESSAGE, recipe=recipe)


class MoreMenu(PersistentMenu, template="more:" + _SONG):
    """Makes one of the further recipes of one song."""

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Start the job."""
        message_id, number = map(int, self.subject)
        song = await interaction.client.services.picks.find(interaction, message_id, number)
        recipe = Recipe(self.chosen)
        await make(interaction, song, entry=Entry.MESSAGE, recipe=recipe)


class SongMenu(PersistentMenu, template=r"song:(?P<message>\d+)"):
    """Turns to one of a message's songs, and offers recipes for it."""

    prefix = "song"

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Offer the recipes in another answer, so that all songs can have their turn."""
        [message_id] = map(int, self.subject)
        number = int(self.chosen)
        services = interaction.client.services
        song = await services.picks.find(interaction, message_id, number)
        await interaction.response.send_message(
            f"**{safe(title_of(song.filename))}**\n{gettext(messages.CHOOSE_RECIPE)}",
            view=recipes_view(services.splits.offers(), message_id, number),
        )


class PickMenu(PersistentMenu, template=r"pick:(?P<message>\d+)"):
    """Splits one of a message's songs as the message's own command would have."""

    prefix = "pick"

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Start the job."""
        [message_id] = map(int, self.subject)
        picks = interaction.client.services.picks
        song = await picks.find(interaction, message_id, int(self.chosen))
        await make(interaction, song, entry=Entry.MENU)
