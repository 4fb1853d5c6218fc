"""Songs in messages: the menu `Split this audio`, and a DM with audio attached."""

import logging

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.errors import Reason, Rejected, StoreUnavailable
from bot.domain.job import Entry, UserId
from bot.i18n.languages import Languages
from bot.i18n.translation import gettext
from bot.jobs.split_service import SplitService
from bot.ui.attachment_cache import AttachmentCache
from bot.ui.client import Stemcord
from bot.ui.components.rendering import embed_of
from bot.ui.components.song_choice import (
    MakeButton,
    MoreMenu,
    PickMenu,
    SongMenu,
    make,
    recipes_view,
    song_card,
    songs_view,
)
from bot.ui.error_answers import UNREACHABLE
from bot.ui.song_attachments import songs_in
from bot.ui.texts import labels, messages

log = logging.getLogger(__name__)


class SongsCog(commands.Cog):
    """Takes songs that are in messages already."""

    def __init__(
        self, *, splits: SplitService, picks: AttachmentCache, languages: Languages
    ) -> None:
        self._splits = splits
        self._picks = picks
        self._languages = languages

    async def split_message(
        self, interaction: discord.Interaction[Stemcord], message: discord.Message
    ) -> None:
        """Split the message's song; ask which, if there are several. Raises Rejected."""
        songs = songs_in(message)
        if not songs:
            raise Rejected(Reason.NO_AUDIO_HERE)
        if len(songs) == 1:
            await make(interaction, songs[0], entry=Entry.MENU)
            return
        self._picks.remember(message.id, songs)
        await interaction.response.send_message(
            gettext(messages.SONG_FROM),
            view=songs_view(songs, message.id, is_for_dm=False),
            ephemeral=True,
        )

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Offer what can be made of the songs in a DM."""
        if message.guild is not None or message.author.bot or message.is_system():
            return
        try:
            await self._offer(message)
        except UNREACHABLE as exc:
            log.warning("a direct message could not be answered: %s", exc)

    async def _offer(self, message: discord.Message) -> None:
        await self._speak_to(message.author)
        songs = songs_in(message)
        match songs:
            case []:
                await message.reply(gettext(messages.SEND_A_SONG))
            case [song]:
                view = recipes_view(self._splits.offers(), message.id, 0)
                await message.reply(embed=embed_of(song_card(song)), view=view)
            case _:
                view = songs_view(songs, message.id, is_for_dm=True)
                await message.reply(gettext(messages.SONG_FROM), view=view)

    async def _speak_to(self, author: discord.abc.User) -> None:
        """Speak as with their latest song, because a message does not tell its writer's locale."""
        try:
            latest = await self._splits.jobs_of(UserId(author.id), limit=1)
        except StoreUnavailable as exc:
            log.warning("nobody knows in which language to answer: %s", exc)
            latest = []
        self._languages.activate(latest[0].reply.locale if latest else "")


async def setup(bot: Stemcord) -> None:
    """Add the cog, its message menu, and what it asks with."""
    services = bot.services
    cog = SongsCog(splits=services.splits, picks=services.picks, languages=services.languages)
    bot.add_dynamic_items(MakeButton, MoreMenu, SongMenu, PickMenu)
    # A cog's own decorator makes no menu, so the tree is given one.
    bot.tree.add_command(
        app_commands.ContextMenu(
            name=locale_str(labels.SPLIT_MENU.english), callback=cog.split_message
        )
    )
    await bot.add_cog(cog)
