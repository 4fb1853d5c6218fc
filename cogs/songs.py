"""Songs in existing messages: the `Split this audio` message command, and DMs with audio."""

import logging
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands
from discord.utils import MISSING

from bot.domain.errors import Reason, Rejected, StoreUnavailable
from bot.domain.job import Entry, UserId
from bot.i18n.translation import gettext
from bot.ui.attachments.song_attachments import songs_in
from bot.ui.cards.controls import MenuAction
from bot.ui.cards.song_cards import recipe_card, song_menu
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.error_answers import UNREACHABLE
from bot.ui.services import Services
from bot.ui.split_requests import SplitOptions
from bot.ui.texts import labels, messages

log = logging.getLogger(__name__)


class SongsCog(commands.Cog):
    """Splits songs that are already in a message."""

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits
        self._requests = services.requests
        self._attachments = services.attachments
        self._languages = services.languages

    async def split_message(
        self, interaction: discord.Interaction[Any], message: discord.Message
    ) -> None:
        """Split the message's song, asking which one if there are several. Raises Rejected."""
        songs = songs_in(message)
        if not songs:
            raise Rejected(Reason.NO_AUDIO_HERE)
        if len(songs) == 1:
            options = SplitOptions(source=songs[0], entry=Entry.MENU)
            await self._requests.start(interaction, options)
            return
        self._attachments.remember(message.id, songs)
        menu = song_menu(MenuAction.SPLIT_SONG, songs, message.id)
        await interaction.response.send_message(
            gettext(messages.CHOOSE_SONG), view=view_of(menu=menu) or MISSING, ephemeral=True
        )

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer a DM with recipes for its songs, or with an explanation of how to send one."""
        if message.guild is not None or message.author.bot or message.is_system():
            return
        try:
            await self._answer(message)
        except UNREACHABLE as exc:
            log.warning("can't answer a direct message: %s", exc)

    async def _answer(self, message: discord.Message) -> None:
        await self._activate_language_of(message.author)
        songs = songs_in(message)
        match songs:
            case []:
                await message.reply(gettext(messages.SEND_A_SONG))
            case [song]:
                offers = self._splits.offers()
                card = recipe_card(song, offers, message_id=message.id, number=0)
                view = view_of(card.buttons, card.menu) or MISSING
                await message.reply(embed=embed_of(card), view=view)
            case _:
                menu = song_menu(MenuAction.OFFER_RECIPES, songs, message.id)
                view = view_of(menu=menu) or MISSING
                await message.reply(gettext(messages.CHOOSE_SONG), view=view)

    async def _activate_language_of(self, author: discord.abc.User) -> None:
        """Use the language of the user's latest job, because messages have no locale."""
        try:
            latest = await self._splits.jobs_of(UserId(author.id), limit=1)
        except StoreUnavailable as exc:
            log.warning("answering a direct message in English: %s", exc)
            latest = []
        self._languages.activate(latest[0].reply.locale if latest else "")


def message_menu(cog: SongsCog) -> app_commands.ContextMenu:
    """Return the message command. discord.py has no decorator for one in a cog."""
    return app_commands.ContextMenu(
        name=locale_str(labels.SPLIT_MENU.english), callback=cog.split_message
    )
