"""Edits replies that an earlier process left unfinished, and offers a button to ask again."""

import asyncio
import logging

import discord

from bot.domain.backoff import backoff_s
from bot.domain.clock import Clock
from bot.domain.errors import SplitError
from bot.domain.job import Job
from bot.i18n.languages import Languages
from bot.i18n.translation import gettext
from bot.ui.cards.controls import Action, Button
from bot.ui.cards.result_cards import interrupted_card
from bot.ui.cards.result_controls import render_button, zip_button
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.error_answers import UNREACHABLE, may_pass
from bot.ui.texts import labels
from storage.stores.job_store import JobStore
from storage.stores.open_replies import OpenReplies, OpenReply, ReplyKind

log = logging.getLogger(__name__)

MAX_CUSTOM_ID = 100
"""Discord's limit; a zip button's id exceeds it for a mix with a level for each stem."""


class InterruptedReplies:
    """Completes replies that a restart interrupted."""

    def __init__(
        self,
        *,
        open_replies: OpenReplies,
        jobs: JobStore,
        client: discord.Client,
        languages: Languages,
        clock: Clock,
    ) -> None:
        self._open_replies = open_replies
        self._jobs = jobs
        self._client = client
        self._languages = languages
        self._clock = clock
        self._found: list[OpenReply] | None = None

    async def find(self) -> None:
        """Read the earlier process's open replies. Call it before this process opens replies.

        Raises StoreUnavailable.
        """
        await self._open_replies.drop_expired(self._clock.now())
        self._found = await self._open_replies.every()

    async def complete(self) -> None:
        """Edit every open reply that still shows work in progress. Call it once, after `find`.

        While Discord is unreachable, edits are retried until the reply's token expires. A reply
        that Discord refuses to edit is dropped. Raises StoreUnavailable. Safe to repeat.
        """
        if self._found is None:
            await self.find()
        rounds = 0
        while self._found:
            rounds += 1
            self._found = [each for each in self._found if not await self._is_over(each)]
            if self._found:
                await asyncio.sleep(backoff_s(rounds, key="interrupted replies"))

    async def _is_over(self, reply: OpenReply) -> bool:
        """Complete a reply, and return whether it needs no further try."""
        job = await self._jobs.get(reply.job_id)
        try:
            if job is not None and await self._is_waiting(reply):
                await self._tell(reply, job)
        except (*UNREACHABLE, SplitError) as exc:
            log.warning("an interrupted reply could not be edited: %s", exc)
            if may_pass(exc) and self._clock.now() < reply.token_expires_at:
                return False
        await self._open_replies.close(reply.interaction_id)
        return True

    async def _is_waiting(self, reply: OpenReply) -> bool:
        """Return whether the reply is incomplete: a process may die just after completing one."""
        message = await self._webhook(reply).fetch_message("@original")  # type: ignore[arg-type] # what Discord takes
        return message.flags.loading

    async def _tell(self, reply: OpenReply, job: Job) -> None:
        self._languages.activate(reply.locale)
        asked = job.asked_as(audio_format=reply.audio_format, rendition=reply.rendition)
        card = interrupted_card(asked, _again(reply, asked))
        await self._webhook(reply).edit_message(  # type: ignore[call-overload] # what Discord takes
            "@original",
            embeds=[embed_of(card)],
            view=view_of(card.buttons),
        )
        log.info("%s: an interrupted reply was updated", job.id, extra={"job": job.id})

    def _webhook(self, reply: OpenReply) -> discord.Webhook:
        return discord.Webhook.partial(reply.application_id, reply.token, client=self._client)


def _again(reply: OpenReply, asked: Job) -> Button:
    label = gettext(labels.ASK_AGAIN)
    match reply.kind:
        case ReplyKind.DM:
            return Button(Action.TO_DM, f"{asked.id}:{reply.rendition.token}", label)
        case ReplyKind.ZIP if len(zip_button(asked, label).custom_id) <= MAX_CUSTOM_ID:
            return zip_button(asked, label)
        case ReplyKind.CLIP:
            return Button(Action.CLIP, asked.id, label)
        case ReplyKind.BATCH_ZIP if asked.batch_id is not None:
            return Button(Action.ZIP_BATCH, asked.batch_id, label)
        case _:
            return render_button(asked, asked.request.rendition, label)
