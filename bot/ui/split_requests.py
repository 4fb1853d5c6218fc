"""Starts every split: from `/split`, a message menu, a DM, or a button of an earlier card."""

from dataclasses import dataclass
from typing import Any

import discord

from bot.accounts.quotas import Quotas
from bot.domain.clock import Clock
from bot.domain.job import Entry, Job, Reply, Request, Source, UserId
from bot.domain.recipes import AudioFormat, Recipe
from bot.domain.renditions import UNCHANGED, Rendition
from bot.jobs.split_service import SplitService
from bot.ui.acknowledgement import start_split
from bot.ui.attachments.attachment_urls import AttachmentUrls
from bot.ui.context import membership_of, reply_of
from storage.stores.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOptions:
    """The user's choices; None leaves a choice to the server's rules or the bot."""

    source: Source
    entry: Entry
    recipe: Recipe | None = None
    audio_format: AudioFormat | None = None
    provider: str | None = None
    is_private: bool | None = None
    rendition: Rendition = UNCHANGED


class SplitRequests:
    """Builds a split's request and reply, and starts it."""

    def __init__(
        self,
        *,
        splits: SplitService,
        quotas: Quotas,
        attachment_urls: AttachmentUrls,
        clock: Clock,
    ) -> None:
        self._splits = splits
        self._quotas = quotas
        self._attachment_urls = attachment_urls
        self._clock = clock

    async def start(self, interaction: discord.Interaction[Any], options: SplitOptions) -> None:
        """Store the split and acknowledge the interaction.

        Raises StoreUnavailable, and Rejected, including when Discord no longer has the file.
        """
        user_id, membership = UserId(interaction.user.id), membership_of(interaction)
        with self._splits.answering():
            standing = await self._quotas.standing(user_id, membership)
            request, reply = await self._build(interaction, options, standing)
            await start_split(
                interaction, self._splits, request=request, reply=reply, standing=standing
            )

    async def start_again(
        self, interaction: discord.Interaction[Any], job: Job, *, recipe: Recipe | None = None
    ) -> None:
        """Split the job's song again with the same privacy; `recipe` replaces the job's if given.

        Raises the same errors as `start`.
        """
        recipe = recipe or job.request.recipe
        options = SplitOptions(
            source=job.request.source,
            entry=Entry.BUTTON,
            recipe=recipe,
            audio_format=job.request.audio_format,
            provider=self._provider_for(recipe, job.request.provider),
            is_private=job.reply.is_ephemeral,
            rendition=job.request.rendition,
        )
        await self.start(interaction, options)

    async def _build(
        self, interaction: discord.Interaction[Any], options: SplitOptions, standing: Standing
    ) -> tuple[Request, Reply]:
        now, rules = self._clock.now(), standing.rules
        source = options.source
        if options.entry is not Entry.COMMAND:  # a command's own file has a new address
            source = await self._attachment_urls.with_live_url(source, now=now)
        membership = membership_of(interaction)
        request = Request(
            user_id=UserId(interaction.user.id),
            source=source,
            recipe=rules.recipe_for(options.recipe),
            audio_format=rules.format_for(options.audio_format),
            provider=options.provider,
            entry=options.entry,
            role_ids=membership.role_ids if membership else (),
            rendition=options.rendition,
        )
        is_private = rules.is_private_for(options.is_private)
        return request, reply_of(interaction, private=is_private, now=now)

    def _provider_for(self, recipe: Recipe, provider: str | None) -> str | None:
        """Return the user's provider, or None if it cannot make this recipe."""
        offers = self._splits.offers()
        makers = next((offer.providers for offer in offers if offer.recipe is recipe), ())
        return provider if provider in makers else None
