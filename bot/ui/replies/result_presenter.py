"""Shows jobs again in new replies: for `/result`, for buttons, and in DMs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import discord

from bot.audio.tasks import DoesNotFit
from bot.delivery.builder import MAX_SHRINKS
from bot.delivery.port import ReplyUnavailable
from bot.delivery.redelivery import Redelivery
from bot.domain.clock import Clock
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Context, Job, State, UserId
from bot.domain.recipes import AudioFormat
from bot.i18n.translation import gettext
from bot.scheduling.progress import ProgressBoard
from bot.ui.cards.job_cards import card_of
from bot.ui.cards.message_content import MessageContent, attachment_files
from bot.ui.cards.result_cards import shown_again_card
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.context import context_of, reply_of
from bot.ui.error_answers import say_privately
from bot.ui.replies.direct_messages import MAX_FILE_BYTES, DirectMessages
from bot.ui.replies.edit_routes import EditRoutes
from bot.ui.replies.message_requests import Edited, NotEdited
from bot.ui.texts import messages

log = logging.getLogger(__name__)

TRIES = 3
"""How often writing a result is tried while Discord is out of reach."""
RETRY_AFTER_S = 2.0

Put = Callable[[MessageContent], Awaitable[Edited | NotEdited]]


class ResultPresenter:
    """Shows finished jobs again, one at a time per user; every method answers the interaction."""

    def __init__(
        self,
        *,
        redelivery: Redelivery,
        routes: EditRoutes,
        direct_messages: DirectMessages,
        board: ProgressBoard,
        clock: Clock,
    ) -> None:
        self._redelivery = redelivery
        self._routes = routes
        self._direct_messages = direct_messages
        self._board = board
        self._clock = clock
        self._busy: set[UserId] = set()
        self._tasks: set[asyncio.Task[Edited | NotEdited]] = set()

    async def show(
        self,
        interaction: discord.Interaction[Any],
        job: Job,
        *,
        audio_format: AudioFormat | None = None,
    ) -> None:
        """Show the job, with its stems if it has any, in another format if one is given.

        Raises Rejected if the stems are gone or the user's previous request is still running.
        """
        if job.state not in (State.DELIVERED, State.KEPT):
            await self._show_card(interaction, job)
            return
        if not job.has_stems:
            raise Rejected(Reason.FILES_EXPIRED)
        is_private = _must_be_private(job, interaction)
        with self._turn_of(job.request.user_id):
            answer = await interaction.response.defer(ephemeral=is_private, thinking=True)
            reply = replace(
                reply_of(interaction, private=is_private, now=self._clock.now()),
                message_id=answer.message_id if answer else None,
            )

            async def put(content: MessageContent) -> Edited | NotEdited:
                return await self._routes.show(reply, content, closed=set())

            requested = job.asked_as(audio_format=audio_format)
            is_dm = reply.context is Context.BOT_DM
            limit = reply.size_limit_bytes
            shown = await self._supervised(
                self._present(requested, put, name=str(interaction.id), limit=limit, is_dm=is_dm)
            )
        if isinstance(shown, NotEdited):
            await say_privately(interaction, gettext(messages.UNSHOWN))

    async def send_directly(self, interaction: discord.Interaction[Any], job: Job) -> None:
        """Send the job's stems to its user by DM.

        Raises Rejected if the stems are gone or the user's previous request is still running.
        """
        if not job.has_stems:
            raise Rejected(Reason.FILES_EXPIRED)
        user_id = job.request.user_id
        with self._turn_of(user_id):
            await interaction.response.defer(ephemeral=True, thinking=True)

            async def put(content: MessageContent) -> Edited | NotEdited:
                return await self._direct_messages.send(user_id, content, nonce=interaction.id)

            name = str(interaction.id)
            shown = await self._supervised(
                self._present(job, put, name=name, limit=MAX_FILE_BYTES, is_dm=True)
            )
        is_sent = isinstance(shown, Edited)
        await say_privately(
            interaction, gettext(messages.SENT_TO_DM if is_sent else messages.DM_REFUSED)
        )

    async def stop(self, *, grace_s: float) -> None:
        """Wait for work under way, and cancel what does not end within the grace."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _show_card(self, interaction: discord.Interaction[Any], job: Job) -> None:
        card = card_of(job, self._board.get(job.id))
        view = view_of(card.buttons, card.menu) or discord.utils.MISSING
        await interaction.response.send_message(embed=embed_of(card), view=view, ephemeral=True)

    async def _present(
        self, job: Job, put: Put, *, name: str, limit: int, is_dm: bool
    ) -> Edited | NotEdited:
        answer: Edited | NotEdited = NotEdited("the write was not tried")
        for shrinks in range(MAX_SHRINKS + 1):
            try:
                async with self._redelivery.packed(
                    job, name=name, limit_bytes=limit, shrinks=shrinks
                ) as delivery:
                    card = shown_again_card(job, delivery, is_dm=is_dm)
                    content = MessageContent(card=card, files=attachment_files(delivery))
                    answer = await _with_retries(put, content)
            except DoesNotFit as exc:
                return NotEdited(str(exc), is_too_large=True)
            if isinstance(answer, Edited):
                log.info("%s is shown again", job.id, extra={"job": job.id, "action": "shown"})
                return answer
            if not answer.is_too_large:
                return answer
        return answer

    async def _supervised(
        self, work: Coroutine[Any, Any, Edited | NotEdited]
    ) -> Edited | NotEdited:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await task

    @contextmanager
    def _turn_of(self, user_id: UserId) -> Iterator[None]:
        if user_id in self._busy:
            raise Rejected(Reason.ONE_SHOWING)
        self._busy.add(user_id)
        try:
            yield
        finally:
            self._busy.discard(user_id)


async def _with_retries(put: Put, content: MessageContent) -> Edited | NotEdited:
    for number in range(1, TRIES):
        try:
            return await put(content)
        except ReplyUnavailable as exc:
            log.warning("will show a result again later: %s", exc)
            await asyncio.sleep(RETRY_AFTER_S * number)
    return await put(content)


def _must_be_private(job: Job, interaction: discord.Interaction[Any]) -> bool:
    """Whether only the user may see the result, because the job's reply was private."""
    if job.reply.is_ephemeral:
        return True
    here = context_of(interaction, private=False)
    return job.reply.context is Context.BOT_DM and here is not Context.BOT_DM
