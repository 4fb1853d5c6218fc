"""Shows jobs again in new replies: for `/result`, buttons, and DMs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import discord

from bot.accounts.admission import GuildAdmission
from bot.accounts.user_limits import RenderLimit
from bot.audio.tasks import DoesNotFit
from bot.delivery.builder import MAX_SHRINKS
from bot.delivery.port import Delivery, ReplyUnavailable
from bot.delivery.redelivery import Redelivery
from bot.domain.backoff import backoff_s
from bot.domain.clock import Clock
from bot.domain.errors import Problem, Reason, Rejected, StoreUnavailable
from bot.domain.job import Context, Job, Reply, State, UserId
from bot.domain.minutes import minutes_of
from bot.domain.recipes import AudioFormat
from bot.domain.renditions import Rendition
from bot.i18n.translation import Message, gettext
from bot.scheduling.progress import ProgressBoard
from bot.ui.acknowledgement import NotAcknowledged, acknowledge
from bot.ui.cards.card import Card
from bot.ui.cards.job_cards import card_of
from bot.ui.cards.message_content import MessageContent, attachment_files
from bot.ui.cards.result_cards import dm_copy_card, rendition_card, shown_again_card
from bot.ui.cards.result_controls import Place
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.context import TOKEN_LIFETIME, context_of, reply_of
from bot.ui.error_answers import (
    UNREACHABLE,
    Answered,
    explanation,
    may_pass,
)
from bot.ui.replies.direct_messages import MAX_FILE_BYTES, DirectMessages
from bot.ui.replies.edit_routes import EditRoutes
from bot.ui.replies.message_requests import Edited, NotEdited
from bot.ui.texts import messages
from storage.stores.last_renditions import LastRenditions
from storage.stores.open_replies import OpenReplies, OpenReply, ReplyKind

log = logging.getLogger(__name__)

TRIES = 3
"""The number of tries to write a result while Discord is unreachable."""
RETRY_AFTER_S = 2.0
SAY_AGAIN_AFTER_S = 2.0
MAX_WAITING = 20
"""The most replies that may wait for files at a time. Renditions cost no minutes, so a quota does
not limit them."""

Put = Callable[[MessageContent], Awaitable[Edited | NotEdited]]
Pack = Callable[[Reply, int], AbstractAsyncContextManager[MessageContent]]
"""Makes the content for a reply, with size limits lowered the given number of times.

The content's files exist until the context exits. It may raise DoesNotFit.
"""


class ResultPresenter:
    """Shows finished jobs again, one at a time for each user. Every method answers the interaction.

    A reply is stored as open while it waits for its files, so the bot can explain it after a
    restart.
    """

    def __init__(
        self,
        *,
        redelivery: Redelivery,
        render_limit: RenderLimit,
        admission: GuildAdmission,
        open_replies: OpenReplies,
        last_renditions: LastRenditions,
        routes: EditRoutes,
        direct_messages: DirectMessages,
        board: ProgressBoard,
        clock: Clock,
    ) -> None:
        self._redelivery = redelivery
        self._render_limit = render_limit
        self._admission = admission
        self._open_replies = open_replies
        self._last_renditions = last_renditions
        self._routes = routes
        self._direct_messages = direct_messages
        self._board = board
        self._clock = clock
        self._busy: set[UserId] = set()
        self._tasks: set[asyncio.Task[Edited | NotEdited]] = set()
        self._explaining: set[asyncio.Task[None]] = set()

    @property
    def minutes_an_hour(self) -> int:
        """The minutes of music that a person may have rendered in an hour."""
        return self._render_limit.minutes

    async def show(
        self,
        interaction: discord.Interaction[Any],
        job: Job,
        *,
        audio_format: AudioFormat | None = None,
    ) -> None:
        """Show the job to its user, with its stems if it has any, perhaps in another format.

        Others see it only if they could see the job's reply, and if the server's default is public.
        Raises Rejected if the stems are gone, if the user's previous request is still running, or
        with BUSY when too many wait.
        """
        if job.state not in (State.DELIVERED, State.KEPT):
            await self._show_card(interaction, job)
            return
        rules = await self._admission.rules(interaction.guild_id)
        is_private = _must_be_private(job, interaction) or rules.is_private_for(None)
        requested = job.asked_as(audio_format=audio_format)
        pack = self._packer(interaction, requested, shown_again_card)
        await self._answer(interaction, requested, ReplyKind.RESULT, pack, is_private=is_private)

    async def render(
        self,
        interaction: discord.Interaction[Any],
        job: Job,
        *,
        rendition: Rendition,
        audio_format: AudioFormat | None = None,
    ) -> None:
        """Show a rendition only to its requester, who need not be the job's user.

        Raises Rejected as `show` does, with BLOCKED, BLOCKED_HERE or NOT_OFFERED_HERE, and with
        RENDER_LIMIT when they have reached the hour's limit.
        """
        user_id = UserId(interaction.user.id)
        requested = job.asked_as(audio_format=audio_format, rendition=rendition)
        if job.digest is not None and not rendition.is_plain:
            await self._last_renditions.put(user_id, job.digest, rendition, self._clock.now())
        pack = self._packer(interaction, requested, rendition_card)
        await self.answer_privately(
            interaction, requested, ReplyKind.RESULT, pack, minutes=minutes_of(job.frames or 0)
        )

    async def answer_privately(
        self,
        interaction: discord.Interaction[Any],
        job: Job,
        kind: ReplyKind,
        pack: Pack,
        *,
        minutes: int,
        too_large: Message = messages.UNSHOWN,
        done: Message | None = None,
    ) -> None:
        """Show the content that `pack` makes from the job, visible only to the requester.

        The request counts as `minutes` of song. The answer is `too_large` if the files do not fit.
        Give `done` if `pack` itself does what was asked for; it is the answer where the content
        cannot be shown. Raises Rejected as `render` does.
        """
        user_id = UserId(interaction.user.id)
        await self._check_person(interaction)
        with self._render_limit.taking(user_id, self._counted(job, minutes)):
            await self._answer(
                interaction,
                job,
                kind,
                pack,
                is_private=not _is_bot_dm(interaction),
                too_large=too_large,
                done=done,
            )

    def _counted(self, job: Job, minutes: int) -> int:
        """Return the minutes that a request counts; unchanged stems do not count if the operator
        has turned renditions off.
        """
        is_off = not self._render_limit.minutes
        return 0 if is_off and job.request.rendition.is_plain else minutes

    async def last_rendition(self, user_id: UserId, job: Job) -> Rendition | None:
        """Return the user's last rendition of the job's song."""
        if job.digest is None:
            return None
        return await self._last_renditions.get(user_id, job.digest)

    async def send_directly(
        self,
        interaction: discord.Interaction[Any],
        job: Job,
        *,
        rendition: Rendition | None = None,
    ) -> None:
        """Send the job's stems to the requester by DM.

        Raises Rejected as `render` does, but with BLOCKED, BLOCKED_HERE or NOT_OFFERED_HERE only
        for another user's job.
        """
        user_id = UserId(interaction.user.id)
        is_own = user_id == job.request.user_id
        requested = job.asked_as(rendition=rendition)
        # As in `show`, users get their results without limit in the form in which they were made.
        is_result = is_own and requested.request.rendition == job.request.rendition
        minutes = 0 if is_result else minutes_of(job.frames or 0)

        async def put(content: MessageContent) -> Edited | NotEdited:
            return await self._direct_messages.send(user_id, content, nonce=interaction.id)

        if not is_own:
            await self._check_person(interaction)
        card = partial(shown_again_card, place=Place.DM) if is_own else dm_copy_card
        name = str(interaction.id)

        def pack(shrinks: int) -> AbstractAsyncContextManager[MessageContent]:
            return self._packed(requested, card, name=name, limit=MAX_FILE_BYTES, shrinks=shrinks)

        async def send(_: Reply) -> str:
            shown = await self._supervised(self._present(requested, put, pack))
            if isinstance(shown, Edited):
                return gettext(messages.SENT_TO_DM)
            return gettext(messages.UNSHOWN if shown.is_too_large else messages.DM_REFUSED)

        minutes = self._counted(requested, minutes)
        with self._turn_of(user_id), self._render_limit.taking(user_id, minutes):
            await self._complete(interaction, requested, ReplyKind.DM, send, is_private=True)

    async def _check_person(self, interaction: discord.Interaction[Any]) -> None:
        """Raise Rejected if the presser may not use the bot at all, or not here."""
        place = reply_of(interaction, private=True, now=self._clock.now())
        await self._admission.check_person(UserId(interaction.user.id), place)

    async def stop(self, *, grace_s: float) -> None:
        """Wait for work under way, and cancel work that does not end within the grace period.

        The next start explains replies that are not complete by then.
        """
        for explaining in self._explaining:
            explaining.cancel()
        await asyncio.gather(*self._explaining, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _show_card(self, interaction: discord.Interaction[Any], job: Job) -> None:
        card = card_of(job, self._board.get(job.id))
        view = view_of(card.buttons, card.menu) or discord.utils.MISSING
        await interaction.response.send_message(embed=embed_of(card), view=view, ephemeral=True)

    async def _answer(
        self,
        interaction: discord.Interaction[Any],
        job: Job,
        kind: ReplyKind,
        pack: Pack,
        *,
        is_private: bool,
        too_large: Message = messages.UNSHOWN,
        done: Message | None = None,
    ) -> None:
        """Put the content that `pack` makes into the interaction's reply."""

        async def show(reply: Reply) -> str | None:
            async def put(content: MessageContent) -> Edited | NotEdited:
                return await self._routes.show(reply, content, closed=set())

            try:
                shown = await self._supervised(self._present(job, put, partial(pack, reply)))
            except ReplyUnavailable:
                if done is None:
                    raise
                return gettext(done)
            if isinstance(shown, Edited):
                return None
            return gettext(done or (too_large if shown.is_too_large else messages.UNSHOWN))

        with self._turn_of(UserId(interaction.user.id)):
            await self._complete(interaction, job, kind, show, is_private=is_private)

    def _packer(
        self, interaction: discord.Interaction[Any], job: Job, card: Callable[..., Card]
    ) -> Pack:
        def pack(reply: Reply, shrinks: int) -> AbstractAsyncContextManager[MessageContent]:
            return self._packed(
                job,
                partial(card, place=Place.of(reply)),
                name=str(interaction.id),
                limit=reply.size_limit_bytes,
                shrinks=shrinks,
            )

        return pack

    @asynccontextmanager
    async def _packed(
        self,
        job: Job,
        card: Callable[[Job, Delivery], Card],
        *,
        name: str,
        limit: int,
        shrinks: int,
    ) -> AsyncIterator[MessageContent]:
        async with self._redelivery.packed(
            job, name=name, limit_bytes=limit, shrinks=shrinks
        ) as delivery:
            yield MessageContent(card=card(job, delivery), files=attachment_files(job, delivery))

    async def _complete(
        self,
        interaction: discord.Interaction[Any],
        job: Job,
        kind: ReplyKind,
        work: Callable[[Reply], Awaitable[str | None]],
        *,
        is_private: bool,
    ) -> None:
        """Defer the answer, and keep its reply on record until it is complete.

        `work` returns the sentence to show, or None if it has shown something. Its errors are
        answered, and raised as Answered. When a stopping bot cancels it, the record stays.
        """
        if not job.has_stems:
            raise Rejected(Reason.FILES_EXPIRED)
        reply = reply_of(interaction, private=is_private, now=self._clock.now())
        expires_at = self._clock.now() + TOKEN_LIFETIME
        await self._open_replies.add(_open_reply_of(interaction, job, kind, reply, expires_at))
        try:
            message_id = await acknowledge(interaction, ephemeral=is_private)
        except NotAcknowledged as exc:
            log.warning("%s: not shown again: %s", job.id, exc)
            sentence = messages.problem(Problem(Reason.BUSY)) if exc.in_doubt else None
            await self._end(interaction, sentence, expires_at)
            raise Answered from exc
        try:
            sentence = await work(replace(reply, message_id=message_id))
        except Exception as exc:
            await self._end(interaction, explanation(interaction, exc), expires_at)
            raise Answered from exc
        await self._end(interaction, sentence, expires_at)

    async def _end(
        self, interaction: discord.Interaction[Any], sentence: str | None, expires_at: datetime
    ) -> None:
        """Show the last sentence, if any, and close the reply.

        While Discord is unreachable, this is retried in the background until the reply expires.
        """
        if sentence is not None and not await _is_said(interaction, sentence):
            task = asyncio.create_task(self._end_later(interaction, sentence, expires_at))
            self._explaining.add(task)
            task.add_done_callback(self._explaining.discard)
        else:
            await self._close(interaction.id)

    async def _end_later(
        self, interaction: discord.Interaction[Any], sentence: str, expires_at: datetime
    ) -> None:
        tries = 0
        while self._clock.now() < expires_at:
            tries += 1
            await asyncio.sleep(
                backoff_s(tries, key=str(interaction.id), first_s=SAY_AGAIN_AFTER_S)
            )
            if await _is_said(interaction, sentence):
                break
        await self._close(interaction.id)

    async def _close(self, interaction_id: int) -> None:
        try:
            await self._open_replies.close(interaction_id)
        except StoreUnavailable as exc:
            # The next start finds the reply complete, and retention drops the record.
            log.warning("the record of a complete reply was not deleted: %s", exc)

    async def _present(
        self,
        job: Job,
        put: Put,
        pack: Callable[[int], AbstractAsyncContextManager[MessageContent]],
    ) -> Edited | NotEdited:
        answer: Edited | NotEdited = NotEdited("the write was not tried")
        for shrinks in range(MAX_SHRINKS + 1):
            try:
                async with pack(shrinks) as content:
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
        if len(self._busy) >= MAX_WAITING:
            raise Rejected(Reason.BUSY)
        self._busy.add(user_id)
        try:
            yield
        finally:
            self._busy.discard(user_id)


async def _is_said(interaction: discord.Interaction[Any], sentence: str) -> bool:
    """Complete the deferred answer; return False if Discord may accept the sentence later."""
    try:
        await interaction.edit_original_response(content=sentence)
    except UNREACHABLE as exc:
        log.warning("can't complete a reply: %s", exc)
        return not may_pass(exc)
    return True


async def _with_retries(put: Put, content: MessageContent) -> Edited | NotEdited:
    for number in range(1, TRIES):
        try:
            return await put(content)
        except ReplyUnavailable as exc:
            log.warning("will show a result again later: %s", exc)
            await asyncio.sleep(RETRY_AFTER_S * number)
    return await put(content)


def _open_reply_of(
    interaction: discord.Interaction[Any],
    job: Job,
    kind: ReplyKind,
    reply: Reply,
    expires_at: datetime,
) -> OpenReply:
    return OpenReply(
        interaction_id=interaction.id,
        job_id=job.id,
        user_id=UserId(interaction.user.id),
        kind=kind,
        rendition=job.request.rendition,
        audio_format=job.request.audio_format,
        application_id=reply.application_id,
        token=interaction.token,
        token_expires_at=expires_at,
        locale=reply.locale,
        guild_id=interaction.guild_id,
    )


def _is_bot_dm(interaction: discord.Interaction[Any]) -> bool:
    return context_of(interaction, private=True) is Context.BOT_DM


def _must_be_private(job: Job, interaction: discord.Interaction[Any]) -> bool:
    """Return whether only the user may see the result: the job's reply was private, or was outside
    servers and in another channel.
    """
    is_elsewhere = interaction.channel_id != job.reply.channel_id
    return job.reply.is_ephemeral or (job.reply.guild_id is None and is_elsewhere)
