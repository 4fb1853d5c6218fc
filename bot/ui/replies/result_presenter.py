"""Jobs shown again in fresh replies: from `/result`, from buttons, and into a DM."""

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
from bot.ui.cards.card import card_of, shown_again_card
from bot.ui.cards.message_content import MessageContent, attachment_files
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.context import context_of, reply_of
from bot.ui.error_answers import say_privately
from bot.ui.replies.direct_messages import FILE_BYTES, DirectMessages
from bot.ui.replies.edit_routes import EditRoutes
from bot.ui.replies.message_requests import Edited, NotEdited
from bot.ui.texts import messages

log = logging.getLogger(__name__)

TRIES = 3
"""How often a showing is written while Discord is out of reach."""

Put = Callable[[MessageContent], Awaitable[Edited | NotEdited]]


class ResultPresenter:
    """Shows finished jobs again, one at a time for each user."""

    def __init__(
        self,
        *,
        showings: Redelivery,
        routes: EditRoutes,
        direct: DirectMessages,
        board: ProgressBoard,
        clock: Clock,
    ) -> None:
        self._showings = showings
        self._routes = routes
        self._direct = direct
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
        """Show the job as it is; once it has stems, with them. Raises Rejected."""
        if job.state not in (State.DELIVERED, State.KEPT):
            await self._show_card(interaction, job)
            return
        if not job.has_stems:
            raise Rejected(Reason.FILES_EXPIRED)
        is_private = _is_for_one(job, interaction)
        with self._turn_of(job.request.user_id):
            answer = await interaction.response.defer(ephemeral=is_private, thinking=True)
            reply = replace(
                reply_of(interaction, private=is_private, now=self._clock.now()),
                message_id=answer.message_id if answer else None,
            )

            async def put(sheet: MessageContent) -> Edited | NotEdited:
                return await self._routes.show(reply, sheet, closed=set())

            wanted = job.asked_as(audio_format or job.request.audio_format)
            is_dm = reply.context is Context.BOT_DM
            limit = reply.size_limit_bytes
            shown = await self._supervised(
                self._present(wanted, put, name=str(interaction.id), limit=limit, is_dm=is_dm)
            )
        if isinstance(shown, NotEdited):
            await say_privately(interaction, gettext(messages.UNSHOWN))

    async def send_directly(self, interaction: discord.Interaction[Any], job: Job) -> None:
        """Send the job's stems to its user's DM. Raises Rejected."""
        if not job.has_stems:
            raise Rejected(Reason.FILES_EXPIRED)
        user_id = job.request.user_id
        with self._turn_of(user_id):
            await interaction.response.defer(ephemeral=True, thinking=True)

            async def put(sheet: MessageContent) -> Edited | NotEdited:
                return await self._direct.send(user_id, sheet, nonce=interaction.id)

            shown = await self._supervised(
                self._present(job, put, name=str(interaction.id), limit=FILE_BYTES, is_dm=True)
            )
        is_sent = isinstance(shown, Edited)
        await say_privately(
            interaction, gettext(messages.SENT_TO_DM if is_sent else messages.DM_REFUSED)
        )

    async def stop(self, *, grace_s: float) -> None:
        """Let what is being shown end within the grace."""
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
        answer: Edited | NotEdited = NotEdited("nothing was tried")
        for shrinks in range(MAX_SHRINKS + 1):
            try:
                async with self._showings.packed(
                    job, name=name, limit_bytes=limit, shrinks=shrinks
                ) as parcel:
                    card = shown_again_card(job, parcel, is_dm=is_dm)
                    answer = await _patiently(
                        put, MessageContent(card=card, files=attachment_files(parcel))
                    )
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


async def _patiently(put: Put, sheet: MessageContent) -> Edited | NotEdited:
    for number in range(1, TRIES):
        try:
            return await put(sheet)
        except ReplyUnavailable as exc:
            log.warning("a showing must wait: %s", exc)
            await asyncio.sleep(2.0**number)
    return await put(sheet)


def _is_for_one(job: Job, interaction: discord.Interaction[Any]) -> bool:
    """Whether the showing must stay between the bot and the user, as the job's reply did."""
    if job.reply.is_ephemeral:
        return True
    here = context_of(interaction, private=False)
    return job.reply.context is Context.BOT_DM and here is not Context.BOT_DM
