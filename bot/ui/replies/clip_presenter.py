"""Shows clips for a server's soundboard, and adds them to the soundboard."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord

from bot.delivery.port import ClipDelivery
from bot.delivery.redelivery import Redelivery
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, Reply
from bot.domain.minutes import minutes_of
from bot.domain.titles import clip_filename, sound_name
from bot.i18n.translation import Message
from bot.ui.actors import may_create_expressions
from bot.ui.cards.message_content import AttachmentFile, MessageContent
from bot.ui.cards.result_cards import clip_added_card, clip_card
from bot.ui.error_answers import UNREACHABLE
from bot.ui.replies.result_presenter import Pack, ResultPresenter
from bot.ui.texts import messages
from storage.stores.open_replies import ReplyKind

log = logging.getLogger(__name__)

PLAIN_NAME = "clip.mp3"
_ALL_SLOTS_TAKEN = 30045
"""Discord's error code for a full soundboard."""


class ClipPresenter:
    """Cuts clips for people who may create expressions in their server.

    Each press cuts the clip again, with the same result, so buttons work after a restart. Both
    methods raise Rejected for a presser without that permission or outside servers, and the errors
    of `ResultPresenter.render`.
    """

    def __init__(self, *, results: ResultPresenter, redelivery: Redelivery) -> None:
        self._results = results
        self._redelivery = redelivery

    async def show(self, interaction: discord.Interaction[Any], job: Job) -> None:
        """Show the clip to the presser only, with a button that adds it."""
        _guild_of(interaction)

        @asynccontextmanager
        async def pack(reply: Reply, shrinks: int) -> AsyncIterator[MessageContent]:
            async with self._redelivery.clipped(job, name=str(interaction.id)) as made:
                yield MessageContent(card=clip_card(job, made), files=(_file(job, made),))

        await self._answer(interaction, job, pack)

    async def add(self, interaction: discord.Interaction[Any], job: Job) -> None:
        """Add the clip to the server's soundboard.

        Raises Rejected with BOT_MAY_NOT_ADD_SOUNDS, SOUNDBOARD_FULL or SOUND_REFUSED if Discord
        refuses it.
        """
        guild = _guild_of(interaction)
        if not interaction.app_permissions.create_expressions:
            raise Rejected(Reason.BOT_MAY_NOT_ADD_SOUNDS)
        name = sound_name(job.title)

        @asynccontextmanager
        async def pack(reply: Reply, shrinks: int) -> AsyncIterator[MessageContent]:
            async with self._redelivery.clipped(job, name=str(interaction.id)) as made:
                sound = await asyncio.to_thread(made.file.read_bytes)
            await _add(guild, name, sound)
            log.info("%s: its clip was added to a soundboard", job.id, extra={"job": job.id})
            yield MessageContent(card=clip_added_card(job, name))

        await self._answer(interaction, job, pack, done=messages.PLAIN_CLIP_ADDED)

    async def _answer(
        self,
        interaction: discord.Interaction[Any],
        job: Job,
        pack: Pack,
        *,
        done: Message | None = None,
    ) -> None:
        minutes = minutes_of(job.frames or 0)
        await self._results.answer_privately(
            interaction, job, ReplyKind.CLIP, pack, minutes=minutes, done=done
        )


def _guild_of(interaction: discord.Interaction[Any]) -> discord.Guild:
    """Return the server of the soundboard. Raises Rejected if the presser may not add sounds."""
    if interaction.guild is None or not interaction.is_guild_integration():
        raise Rejected(Reason.NO_SOUNDBOARD)
    if not may_create_expressions(interaction):
        raise Rejected(Reason.MAY_NOT_ADD_SOUNDS)
    return interaction.guild


async def _add(guild: discord.Guild, name: str, sound: bytes) -> None:
    try:
        await guild.create_soundboard_sound(name=name, sound=sound)
    except discord.Forbidden as exc:
        raise Rejected(Reason.BOT_MAY_NOT_ADD_SOUNDS) from exc
    except UNREACHABLE as exc:
        if isinstance(exc, discord.HTTPException) and exc.code == _ALL_SLOTS_TAKEN:
            raise Rejected(Reason.SOUNDBOARD_FULL) from exc
        log.warning("a soundboard refused a clip: %s", exc)
        raise Rejected(Reason.SOUND_REFUSED) from exc


def _file(job: Job, made: ClipDelivery) -> AttachmentFile:
    return AttachmentFile(
        path=made.file, filename=clip_filename(job.title), plain_filename=PLAIN_NAME
    )
