"""Keeps every job's reply up to date, and puts the stems into it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Container, Iterable

from bot.concurrency import with_pauses
from bot.delivery.port import Delivered, Delivery, Refused, ReplyUnavailable
from bot.domain.backoff import Reminders
from bot.domain.clock import Clock
from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job, JobId
from bot.i18n.languages import Languages
from bot.scheduling.progress import ProgressBoard
from bot.ui.cards.card import Card
from bot.ui.cards.job_cards import card_of
from bot.ui.cards.message_content import MessageContent, attachment_files, second_message_files
from bot.ui.cards.result_cards import continued_card, forwarded_card, result_card
from bot.ui.replies.direct_messages import DirectMessages
from bot.ui.replies.edit_routes import EditRoute, EditRoutes
from bot.ui.replies.follow_up import FollowUp
from bot.ui.replies.message_requests import Edited, NotEdited
from bot.ui.replies.pacing import EditRequest, Pacing, Urgency
from bot.ui.replies.reply_tracker import ReplyState, ReplyTracker
from storage.stores.job_store import JobStore, StaleReply

log = logging.getLogger(__name__)

MAX_CONCURRENT_EDITS = 40
EDITS_PER_ROUND = 10
ROUND_GAP_S = 0.25
"""Limits edits to 40 a second; Discord's limit is 50 requests a second in total."""
SWEEP_S = 1.0
"""The longest time between two reads of the outbox, in case a change was not announced."""


class ReplyWriter:
    """Writes replies from two sources: the outbox of changed jobs, and their progress.

    It implements `DeliveryPort`. Each reply has at most one edit under way.
    """

    def __init__(
        self,
        *,
        jobs: JobStore,
        languages: Languages,
        board: ProgressBoard,
        routes: EditRoutes,
        direct_messages: DirectMessages,
        follow_up: FollowUp,
        pacing: Pacing,
        clock: Clock,
        round_gap_s: float = ROUND_GAP_S,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self._jobs = jobs
        self._languages = languages
        self._board = board
        self._routes = routes
        self._direct_messages = direct_messages
        self._follow_up = follow_up
        self._pacing = pacing
        self._clock = clock
        self._round_gap_s = round_gap_s
        self._sweep_s = sweep_s
        self._tracker = ReplyTracker()
        self._reminders = Reminders()
        self._edits: set[asyncio.Task[None]] = set()
        self._active_cards: Counter[int | None] = Counter()
        self._knows_unfinished = False

    async def run(self) -> None:
        """Keep all replies up to date until cancelled."""
        try:
            while True:
                await self._read_outbox()
                if await self._start_edits():
                    await self._wait_for_news()
        finally:
            for task in self._edits:
                task.cancel()
            await asyncio.gather(*self._edits, return_exceptions=True)

    async def deliver(self, job: Job, delivery: Delivery) -> Delivered | Refused:
        """Put the delivery into the job's reply. Raises ReplyUnavailable.

        Safe to repeat: stems that the user has are not sent again, until `forget` is called.
        """
        self._languages.activate(job.reply.locale)
        state = self._tracker.add(job)
        async with state.lock:
            if state.delivered is not None:
                return state.delivered
            answer = await self._deliver(state, delivery)
            if isinstance(answer, Delivered):
                state.delivered = answer
            return answer

    def forget(self, job_id: JobId) -> None:
        """Stop tracking the job's reply once no update of it is owed."""
        if (state := self._tracker.get(job_id)) is not None:
            state.is_over = True

    async def _deliver(self, state: ReplyState, delivery: Delivery) -> Delivered | Refused:
        job, request = state.job, self._request_for(state, Urgency.FINAL)
        await self._wait_for_turn(request)
        content = MessageContent(
            card=result_card(job, delivery), files=attachment_files(job, delivery)
        )
        match await self._edit(state, request, content):
            case Edited(message_id):
                return await self._send_rest(state, delivery, message_id)
            case NotEdited(detail, is_too_large):
                if is_too_large:
                    return Refused(detail, too_large=True)
                log.info("%s: its reply is out of reach: %s", job.id, detail)
                return await self._send_directly(job, delivery)

    async def _send_rest(
        self, state: ReplyState, delivery: Delivery, message_id: int
    ) -> Delivered | Refused:
        """Send the files that do not fit into the reply."""
        if not delivery.more:
            return Delivered(message_id)
        job = state.job
        content = MessageContent(
            card=continued_card(job), files=second_message_files(job, delivery)
        )
        routes = self._routes.open_routes(job.reply, state.closed)
        nonce = f"{job.interaction_id}-2"
        match await self._follow_up.send(job.reply, content, routes=routes, nonce=nonce):
            case Edited():
                return Delivered(message_id)
            case NotEdited(detail, is_too_large):
                return Refused(detail, too_large=is_too_large, one_only=not is_too_large)

    async def _send_directly(self, job: Job, delivery: Delivery) -> Delivered | Refused:
        if delivery.more:
            return Refused(
                "stems for two messages do not fit into one direct message", one_only=True
            )
        content = MessageContent(
            card=forwarded_card(job, delivery), files=attachment_files(job, delivery)
        )
        user_id, nonce = job.request.user_id, job.interaction_id
        match await self._direct_messages.send(user_id, content, nonce=nonce):
            case Edited():
                return Delivered(None)
            case NotEdited(detail, is_too_large):
                return Refused(detail, too_large=is_too_large)

    async def _wait_for_turn(self, request: EditRequest) -> None:
        while True:
            wait_s = self._pacing.wait_s(request, self._clock.monotonic())
            if not wait_s:
                return
            await asyncio.sleep(wait_s)

    async def _read_outbox(self) -> None:
        try:
            if not self._knows_unfinished:
                # The cards of unfinished jobs may be current, in which case the outbox does not
                # list them.
                for job in await self._jobs.unfinished():
                    if job.acknowledged_at is not None and job.batch_id is None:
                        self._tracker.add(job)
                self._knows_unfinished = True
            owed = await self._jobs.owed()
            # Only jobs with a new version are read, since many others may be waiting for their
            # turn.
            unknown = self._tracker.unknown(owed)
            self._take(await self._jobs.stale_replies(unknown) if unknown else ())
            self._drop_finished(owed)
        except StoreUnavailable as exc:
            if self._reminders.is_due(str(exc), self._clock.monotonic()):
                log.warning("can't read the outbox: %s", exc)
        except Exception as exc:
            if self._reminders.is_due(type(exc).__name__, self._clock.monotonic()):
                log.exception("can't read the outbox")

    def _take(self, stale: Iterable[StaleReply]) -> None:
        for job, version in stale:
            self._tracker.add(job).owe(version, self._clock.monotonic())

    def _drop_finished(self, owed: Container[JobId]) -> None:
        # Drop replies only after the read, which may predate a job's end.
        for state in list(self._tracker):
            if state.is_over and state.job.id not in owed:
                self._drop(state.job.id)

    def _drop(self, job_id: JobId) -> None:
        self._tracker.drop(job_id)
        self._pacing.forget(job_id)

    async def _start_edits(self) -> bool:
        """Start the edits that are due, and wait for the end of the round; return False if some
        are left for the next one.

        The edits are spread over the round, because each occupies the event loop, and all of them
        at once would delay answers to users.
        """
        active: Counter[int | None] = Counter()
        async for state in with_pauses(self._tracker):
            if not state.job.state.is_final:
                active[self._channel_of(state)] += 1
        self._active_cards = active
        now = self._clock.monotonic()
        due = [state async for state in with_pauses(self._tracker) if self._is_due(state, now)]
        room = min(EDITS_PER_ROUND, MAX_CONCURRENT_EDITS - len(self._edits))
        chosen = sorted(due, key=self._precedence)[:room]
        gap_s = self._round_gap_s / EDITS_PER_ROUND
        for state in chosen:
            if self._tracker.get(state.job.id) is state:  # it was not dropped during the round
                self._start_edit(state)
            await asyncio.sleep(gap_s)
        await asyncio.sleep(self._round_gap_s - len(chosen) * gap_s)
        return len(due) <= room

    def _start_edit(self, state: ReplyState) -> None:
        state.is_being_edited = True
        task = asyncio.create_task(self._update(state), name=f"reply {state.job.id}")
        self._edits.add(task)
        task.add_done_callback(self._edits.discard)

    def _precedence(self, state: ReplyState) -> tuple[Urgency, float]:
        """Sort by urgency, then by waiting time."""
        if state.owed_version is None:
            return state.urgency, self._pacing.edited_at(state.job.id)
        return state.urgency, state.owed_since

    def _is_due(self, state: ReplyState, now: float) -> bool:
        if not state.can_be_edited(now):
            return False
        if state.holds_result:
            return state.owed_version is not None
        is_outdated = (
            self._board.get(state.job.id) != state.progress
            or self._routes.is_closing(state.job.reply) is not state.is_closing
        )
        if state.owed_version is None and not is_outdated:
            return False
        return not self._pacing.wait_s(self._request_for(state, state.urgency), now)

    async def _update(self, state: ReplyState) -> None:
        job_id = state.job.id
        self._languages.activate(state.job.reply.locale)
        try:
            async with state.lock:
                await self._bring_up_to_date(state)
        except (ReplyUnavailable, StoreUnavailable) as exc:
            log.warning("%s: will update its reply later: %s", job_id, exc)
            state.back_off(self._clock.monotonic())
        except Exception:
            log.exception("%s: can't update its reply", job_id, extra={"job": job_id})
            state.back_off(self._clock.monotonic())
        finally:
            state.is_being_edited = False

    async def _bring_up_to_date(self, state: ReplyState) -> None:
        job, version = state.job, state.owed_version
        message_id = None
        if not state.holds_result:
            progress = self._board.get(job.id)
            is_closing = self._routes.is_closing(job.reply)
            card = card_of(job, progress, is_closing=is_closing)
            if card != state.shown:
                request = self._request_for(state, state.urgency)
                wait_s = self._pacing.wait_s(request, self._clock.monotonic())
                if wait_s:
                    return  # another edit in the same channel came first
                if wait_s is not None:
                    message_id = await self._show(state, request, card)
            state.progress, state.is_closing = progress, is_closing
        if version is not None:
            await self._jobs.reply_shown(job.id, version, message_id=message_id)
            state.settle(version)
        if job.state.is_final and state.owed_version is None:
            self._drop(job.id)

    async def _show(self, state: ReplyState, request: EditRequest, card: Card) -> int | None:
        answer = await self._edit(state, request, MessageContent(card=card))
        state.shown = card
        state.failures = 0
        match answer:
            case Edited(message_id):
                state.set_message_id(message_id)
                return message_id
            case NotEdited(detail):
                log.debug("%s: its reply stays as it is: %s", state.job.id, detail)
                return None

    async def _edit(
        self, state: ReplyState, request: EditRequest, content: MessageContent
    ) -> Edited | NotEdited:
        self._pacing.made(request, self._clock.monotonic())
        closed_before = len(state.closed)
        answer = await self._routes.show(state.job.reply, content, closed=state.closed)
        for _ in range(len(state.closed) - closed_before):
            self._pacing.refused(self._clock.monotonic())
        return answer

    def _request_for(self, state: ReplyState, urgency: Urgency) -> EditRequest:
        job = state.job
        channel_id = self._channel_of(state)
        since = job.acknowledged_at or job.created_at
        return EditRequest(
            job_id=job.id,
            urgency=urgency,
            age_s=(self._clock.now() - since).total_seconds(),
            channel_id=channel_id,
            active_cards=self._active_cards[channel_id],
        )

    def _channel_of(self, state: ReplyState) -> int | None:
        routes = self._routes.open_routes(state.job.reply, state.closed)
        return state.job.reply.channel_id if routes[:1] == [EditRoute.CHANNEL] else None

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout(self._sweep_s):
                await self._board.changed()
        except TimeoutError:
            pass  # read the outbox anyway
