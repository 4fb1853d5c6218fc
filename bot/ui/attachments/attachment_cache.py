"""The songs of messages from which users choose: cached, or fetched again."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import discord

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Source
from bot.ui.attachments.song_attachments import songs_in

MAX_MESSAGES = 500


class AttachmentCache:
    """Caches the songs of the latest messages that were offered to users.

    The bot can't read messages in places where it is not a member, so it keeps what Discord sent.
    """

    def __init__(self) -> None:
        self._songs: OrderedDict[int, Sequence[Source]] = OrderedDict()

    def remember(self, message_id: int, songs: Sequence[Source]) -> None:
        """Keep a message's songs, dropping the oldest message if there are too many."""
        self._songs[message_id] = songs
        self._songs.move_to_end(message_id)
        while len(self._songs) > MAX_MESSAGES:
            self._songs.popitem(last=False)

    async def find(
        self, interaction: discord.Interaction[Any], message_id: int, number: int
    ) -> Source:
        """Return a song of a message in the interaction's channel, by its number from 0.

        Raises Rejected if the song or the message is gone.
        """
        songs = await self.find_all(interaction, message_id)
        if number >= len(songs):
            raise Rejected(Reason.SOURCE_GONE)
        return songs[number]

    async def find_all(
        self, interaction: discord.Interaction[Any], message_id: int
    ) -> Sequence[Source]:
        """Return all songs of a message in the interaction's channel.

        Raises Rejected if the message is gone.
        """
        return self._songs.get(message_id) or await _fetch(interaction, message_id)


async def _fetch(interaction: discord.Interaction[Any], message_id: int) -> Sequence[Source]:
    channel = interaction.client.get_partial_messageable(interaction.channel_id or 0)
    try:
        return songs_in(await channel.fetch_message(message_id))
    except (discord.NotFound, discord.Forbidden) as exc:
        raise Rejected(Reason.SOURCE_GONE) from exc
