"""Replies that an earlier process left waiting: each says so, with a button to ask again."""

import logging

import discord

from bot.domain.clock import Clock
from bot.domain.errors import SplitError
from bot.domain.job import Job
from bot.i18n.languages import Languages
from bot.i18n.translation import gettext
from bot.ui.cards.controls import Action, Button
from bot.ui.cards.result_cards import interrupted_card, render_button, zip_button
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.error_answers import UNREACHABLE
from bot.ui.texts import labels
from storage.stores.job_store import JobStore
from storage.stores.open_replies import OpenReplies, OpenReply, ReplyKind

log = logging.getLogger(__name__)


class InterruptedReplies:
    """Completes what a restart has interrupted."""

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

    async def complete(self) -> None:
        """Edit every open reply that still shows that something is being made; once, at start.

        One that Discord does not let us edit is dropped, as is one whose token has expired. Raises
        StoreUnavailable.
        """
        await self._open_replies.drop_expired(self._clock.now())
        for reply in await self._open_replies.every():
            job = await self._jobs.get(reply.job_id)
            try:
                if job is not None and await self._is_waiting(reply):
                    await self._tell(reply, job)
            except (*UNREACHABLE, SplitError) as exc:
                log.warning("an interrupted reply could not be edited: %s", exc)
            await self._open_replies.close(reply.interaction_id)

    async def _is_waiting(self, reply: OpenReply) -> bool:
        """Whether the reply is not complete: a process may have died just after it was."""
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
        log.info("%s: an interrupted reply says so", job.id, extra={"job": job.id})

    def _webhook(self, reply: OpenReply) -> discord.Webhook:
        return discord.Webhook.partial(reply.application_id, reply.token, client=self._client)


def _again(reply: OpenReply, asked: Job) -> Button:
    label = gettext(labels.ASK_AGAIN)
    match reply.kind:
        case ReplyKind.DM:
            return Button(Action.TO_DM, asked.id, label)
        case ReplyKind.ZIP:
            return zip_button(asked, label)
        case ReplyKind.BATCH_ZIP if asked.batch_id is not None:
            return Button(Action.ZIP_BATCH, asked.batch_id, label)
        case _:
            return render_button(asked, asked.request.rendition, label)
