"""Shows stems in one file to the requester."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import discord

from bot.delivery.port import ZipDelivery
from bot.delivery.redelivery import Redelivery
from bot.delivery.zip_builder import ZipPlan
from bot.domain.job import Job, Reply
from bot.domain.minutes import minutes_of
from bot.domain.titles import (
    SONGS,
    linked_songs_name,
    linked_zip_name,
    zip_filename,
    zip_folder,
)
from bot.ui.cards.card import Card
from bot.ui.cards.message_content import AttachmentFile, MessageContent
from bot.ui.cards.zip_cards import songs_zip_card, zip_card
from bot.ui.replies.result_presenter import ResultPresenter
from bot.ui.texts import messages
from bot.ui.texts.rendition_texts import zip_info
from storage.stores.open_replies import ReplyKind

PLAIN_NAME = "stems.zip"
CONTENT_DIGITS = 12


class ZipPresenter:
    """Shows stems in one file, in replies like those to rendition requests."""

    def __init__(self, *, results: ResultPresenter, redelivery: Redelivery) -> None:
        self._results = results
        self._redelivery = redelivery

    async def zip(self, interaction: discord.Interaction[Any], job: Job) -> None:
        """Show all of the job's stems in one file, in the job's requested format and rendition.

        Raises Rejected as `ResultPresenter.render` does.
        """
        request = job.request
        plan = ZipPlan(
            songs=(job,),
            folders=("",),
            info=zip_info([job]),
            filename=zip_filename(job.title, request.rendition),
            linked_name=linked_zip_name(request.audio_format, request.rendition),
        )
        await self._show(interaction, plan, ReplyKind.ZIP, lambda made: zip_card(job, made))

    async def zip_songs(self, interaction: discord.Interaction[Any], songs: Sequence[Job]) -> None:
        """Show all stems of several finished jobs in one file, in a folder for each song.

        Raises Rejected as `zip` does.
        """
        ids = " ".join(job.id for job in songs)
        content = hashlib.sha256(ids.encode()).hexdigest()[:CONTENT_DIGITS]
        plan = ZipPlan(
            songs=songs,
            folders=[zip_folder(job.title, number) for number, job in enumerate(songs, 1)],
            info=zip_info(songs),
            filename=zip_filename(SONGS),
            linked_name=linked_songs_name(songs[0].request.audio_format, content),
        )
        card = partial(songs_zip_card, songs)
        await self._show(interaction, plan, ReplyKind.BATCH_ZIP, card)

    async def _show(
        self,
        interaction: discord.Interaction[Any],
        plan: ZipPlan,
        kind: ReplyKind,
        card: Callable[[ZipDelivery], Card],
    ) -> None:
        @asynccontextmanager
        async def pack(reply: Reply, shrinks: int) -> AsyncIterator[MessageContent]:
            async with self._redelivery.zipped(
                plan,
                name=str(interaction.id),
                limit_bytes=reply.size_limit_bytes,
                shrinks=shrinks,
            ) as made:
                yield MessageContent(card=card(made), files=_files(made))

        await self._results.answer_privately(
            interaction,
            plan.keeper,
            kind,
            pack,
            minutes=self._minutes(plan.songs),
            too_large=messages.ZIP_TOO_LARGE,
        )

    def _minutes(self, songs: Sequence[Job]) -> int:
        """Return the minutes to count: at most an hour's limit, unless one song alone is longer."""
        lengths = [minutes_of(job.frames or 0) for job in songs]
        return max(*lengths, min(sum(lengths), self._results.minutes_an_hour))


def _files(made: ZipDelivery) -> tuple[AttachmentFile, ...]:
    if made.file is None:
        return ()
    return (AttachmentFile(path=made.file, filename=made.filename, plain_filename=PLAIN_NAME),)
