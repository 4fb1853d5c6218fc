"""Starts batches from `/batch` and from messages with several songs."""

import asyncio
from collections.abc import Sequence
from typing import Any

import discord

from bot.accounts.admission import GuildAdmission
from bot.batches.batch_service import BatchRequest, BatchService
from bot.domain.clock import Clock
from bot.domain.errors import Rejected
from bot.domain.job import Entry, Source, UserId
from bot.domain.recipes import Recipe
from bot.ui.acknowledgement import start_batch
from bot.ui.attachments.attachment_urls import AttachmentUrls
from bot.ui.context import membership_of, reply_of


class BatchRequests:
    """Builds a batch's request and reply, and starts it."""

    def __init__(
        self,
        *,
        batches: BatchService,
        servers: GuildAdmission,
        attachment_urls: AttachmentUrls,
        clock: Clock,
    ) -> None:
        self._batches = batches
        self._servers = servers
        self._attachment_urls = attachment_urls
        self._clock = clock

    async def recipe_for(self, guild_id: int | None) -> Recipe:
        """Return the recipe that a server's form selects by default."""
        return (await self._servers.rules(guild_id)).recipe_for(None)

    async def start(
        self,
        interaction: discord.Interaction[Any],
        songs: Sequence[Source],
        *,
        entry: Entry,
        recipe: Recipe | None = None,
    ) -> None:
        """Store the batch and acknowledge the interaction. The default recipe is the server's.

        Raises StoreUnavailable and Rejected.
        """
        now = self._clock.now()
        rules = await self._servers.rules(interaction.guild_id)
        if entry is not Entry.COMMAND:  # addresses of a form's files are new
            songs = await asyncio.gather(*map(self._with_live_url, songs))
        membership = membership_of(interaction)
        request = BatchRequest(
            user_id=UserId(interaction.user.id),
            songs=songs,
            recipe=rules.recipe_for(recipe),
            audio_format=rules.format_for(None),
            entry=entry,
            role_ids=membership.role_ids if membership else (),
        )
        reply = reply_of(interaction, private=rules.is_private_for(None), now=now)
        await start_batch(interaction, self._batches, request=request, reply=reply)

    async def _with_live_url(self, song: Source) -> Source:
        try:
            return await self._attachment_urls.with_live_url(song, now=self._clock.now())
        except Rejected:
            return song  # Discord has deleted it, as the song's line will say
