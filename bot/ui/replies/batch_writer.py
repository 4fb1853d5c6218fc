"""Keeps the replies of batches up to date."""

import asyncio
import logging
from dataclasses import dataclass, field, replace

from bot.delivery.port import ReplyUnavailable
from bot.domain.backoff import Reminders, backoff_s
from bot.domain.clock import Clock
from bot.domain.errors import StoreUnavailable
from bot.domain.job import BatchId, JobId
from bot.i18n.languages import Languages
from bot.scheduling.progress import ProgressBoard
from bot.ui.cards.batch_cards import batch_card
from bot.ui.cards.card import Card
from bot.ui.cards.message_content import MessageContent
from bot.ui.replies.direct_messages import DirectMessages
from bot.ui.replies.edit_routes import EditRoute, EditRoutes
from bot.ui.replies.message_requests import Edited
from bot.ui.replies.pacing import EditRequest, Pacing, Urgency
from storage.stores.batches import BatchContent, BatchStore

log = logging.getLogger(__name__)

SWEEP_S = 1.0
MAX_PAUSE_S = 60.0
MAX_CONCURRENT_EDITS = 10


@dataclass(slots=True, eq=False)
class _BatchReply:
    """The state of one batch's reply."""

    content: BatchContent
    owed_version: int | None = None
    """The version to show, or None if only progress can change the card."""
    shown: Card | None = None
    closed: set[EditRoute] = field(default_factory=set)
    is_being_edited: bool = False
    failures: int = 0
    not_before: float = 0.0


class BatchWriter:
    """Writes the cards of batches when the outbox lists them, and on their jobs' progress.

    If a card can no longer be edited, the final list goes to the user by DM. If Discord refuses the
    DM too, `/jobs` still lists every song.
    """

    def __init__(
        self,
        *,
        batches: BatchStore,
        languages: Languages,
        board: ProgressBoard,
        routes: EditRoutes,
        direct_messages: DirectMessages,
        pacing: Pacing,
        clock: Clock,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self._batches = batches
        self._languages = languages
        self._board = board
        self._routes = routes
        self._direct_messages = direct_messages
        self._pacing = pacing
        self._clock = clock
        self._sweep_s = sweep_s
        self._replies: dict[BatchId, _BatchReply] = {}
        self._reminders = Reminders()
        self._knows_open = False
        self._edits: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(MAX_CONCURRENT_EDITS)

    async def run(self) -> None:
        """Keep all replies up to date until cancelled."""
        try:
            while True:
                try:
                    await self._read_outbox()
                except StoreUnavailable as exc:
                    if self._reminders.is_due(str(exc), self._clock.monotonic()):
                        log.warning("can't read the outbox of batches: %s", exc)
                self._start_edits()
                await asyncio.sleep(self._sweep_s)
        finally:
            for task in self._edits:
                task.cancel()
            await asyncio.gather(*self._edits, return_exceptions=True)

    def _start_edits(self) -> None:
        """Start an edit of each reply that may be outdated; no reply waits for another's."""
        now = self._clock.monotonic()
        for reply in self._replies.values():
            if reply.is_being_edited or now < reply.not_before:
                continue
            reply.is_being_edited = True
            task = asyncio.create_task(self._update(reply))
            self._edits.add(task)
            task.add_done_callback(self._edits.discard)

    async def _read_outbox(self) -> None:
        if not self._knows_open:
            # The outbox does not list open batches whose cards are current.
            for batch in await self._batches.open():
                if batch.acknowledged_at is not None:
                    await self._read(batch.id)
            self._knows_open = True
        for batch_id, version in (await self._batches.owed()).items():
            known = self._replies.get(batch_id)
            if known is None or known.owed_version != version:
                await self._read(batch_id)

    async def _read(self, batch_id: BatchId) -> None:
        content = await self._batches.content(batch_id)
        if content is None:
            self._drop(batch_id)
            return
        reply = self._replies.setdefault(batch_id, _BatchReply(content))
        reply.content, reply.owed_version = content, content.batch.version

    async def _update(self, reply: _BatchReply) -> None:
        batch = reply.content.batch
        self._languages.activate(batch.reply.locale)
        try:
            async with self._places:
                await self._bring_up_to_date(reply)
        except (ReplyUnavailable, StoreUnavailable) as exc:
            log.warning("batch %s: will update its reply later: %s", batch.id, exc)
            _back_off(reply, self._clock.monotonic())
        except Exception:
            log.exception("batch %s: can't update its reply", batch.id)
            _back_off(reply, self._clock.monotonic())
        finally:
            reply.is_being_edited = False

    async def _bring_up_to_date(self, reply: _BatchReply) -> None:
        content, version = reply.content, reply.owed_version
        card = batch_card(
            content,
            {job_id: self._board.get(job_id) for job_id in content.jobs},
            is_closing=self._routes.is_closing(content.batch.reply),
        )
        message_id = None
        if card != reply.shown:
            request = self._request(reply)
            wait_s = self._pacing.wait_s(request, self._clock.monotonic())
            if wait_s:
                return
            if wait_s is not None:
                message_id = await self._show(reply, content, request, card)
        is_there = True
        if version is not None:
            is_there = await self._batches.reply_shown(
                content.batch.id, version, message_id=message_id
            )
            if reply.owed_version == version:
                reply.owed_version = None
        if not is_there or (content.batch.is_final and reply.owed_version is None):
            self._drop(content.batch.id)

    async def _show(
        self, reply: _BatchReply, content: BatchContent, request: EditRequest, card: Card
    ) -> int | None:
        self._pacing.made(request, self._clock.monotonic())
        batch = content.batch
        answer = await self._routes.show(
            batch.reply, MessageContent(card=card), closed=reply.closed
        )
        message_id = None
        if isinstance(answer, Edited):
            message_id = answer.message_id
            latest = reply.content.batch  # it may have changed during the edit
            located = replace(latest.reply, message_id=message_id)
            reply.content = replace(reply.content, batch=replace(latest, reply=located))
        elif batch.is_final:
            await self._send_directly(content)
        reply.shown, reply.failures = card, 0
        return message_id

    async def _send_directly(self, content: BatchContent) -> None:
        batch = content.batch
        log.info("batch %s: its reply is out of reach", batch.id)
        card = batch_card(content, {}, is_dm_copy=True)
        await self._direct_messages.send(
            batch.user_id, MessageContent(card=card), nonce=batch.interaction_id
        )

    def _request(self, reply: _BatchReply) -> EditRequest:
        batch = reply.content.batch
        routes = self._routes.open_routes(batch.reply, reply.closed)
        urgency = Urgency.PROGRESS
        if reply.owed_version is not None:
            urgency = Urgency.FINAL if batch.is_final else Urgency.STATE
        since = batch.acknowledged_at or batch.created_at
        return EditRequest(
            job_id=JobId(batch.id),
            urgency=urgency,
            age_s=(self._clock.now() - since).total_seconds(),
            channel_id=batch.reply.channel_id if routes[:1] == [EditRoute.CHANNEL] else None,
        )

    def _drop(self, batch_id: BatchId) -> None:
        self._replies.pop(batch_id, None)
        self._pacing.forget(JobId(batch_id))


def _back_off(reply: _BatchReply, now: float) -> None:
    reply.failures += 1
    batch_id = reply.content.batch.id
    reply.not_before = now + backoff_s(reply.failures, key=batch_id, max_s=MAX_PAUSE_S)
