"""The reply writer: brings every job's reply up to date, and the stems into it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Container, Iterable

from bot.delivery.port import Delivered, Delivery, Refused, ReplyUnavailable
from bot.domain.clock import Clock
from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job, JobId
from bot.i18n.languages import Languages
from bot.scheduling.progress import ProgressBoard
from bot.ui.cards.card import Card, card_of, continued_card, forwarded_card, result_card
from bot.ui.cards.message_content import MessageContent, attachment_files, second_message_files
from bot.ui.replies.direct_messages import DirectMessages
from bot.ui.replies.edit_routes import EditRoute, EditRoutes
from bot.ui.replies.follow_up import FollowUp
from bot.ui.replies.message_requests import Edited, NotEdited
from bot.ui.replies.pacing import EditRequest, Pacing, Urgency
from bot.ui.replies.reply_tracker import ReplyState, ReplyTracker
from storage.stores.job_store import JobStore, StaleReply

log = logging.getLogger(__name__)

EDITS_AT_A_TIME = 40
EDITS_A_ROUND = 10
ROUND_GAP_S = 0.25
"""Makes 40 edits a second at most, however quick Discord is; it grants 50 requests in all."""
SWEEP_S = 1.0
"""The longest time between two looks into the outbox, for changes that nobody announced."""


class ReplyWriter:
    """Writes replies from two sources: the outbox of jobs that changed, and their progress.

    It is also the `Delivery` of the services. At any time one edit of a reply is under way.
    """

    def __init__(
        self,
        *,
        jobs: JobStore,
        languages: Languages,
        board: ProgressBoard,
        routes: EditRoutes,
        direct: DirectMessages,
        sequel: FollowUp,
        pacing: Pacing,
        clock: Clock,
        round_gap_s: float = ROUND_GAP_S,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self._jobs = jobs
        self._languages = languages
        self._board = board
        self._routes = routes
        self._direct = direct
        self._sequel = sequel
        self._pacing = pacing
        self._clock = clock
        self._round_gap_s = round_gap_s
        self._sweep_s = sweep_s
        self._watched = ReplyTracker()
        self._edits: set[asyncio.Task[None]] = set()
        self._crowds: Counter[int | None] = Counter()
        self._knows_unfinished = False

    async def run(self) -> None:
        """Keep all replies up to date until cancelled."""
        try:
            while True:
                await self._look_into_outbox()
                is_all = self._start_edits()
                await asyncio.sleep(self._round_gap_s)
                if is_all:
                    await self._something_new()
        finally:
            for task in self._edits:
                task.cancel()
            await asyncio.gather(*self._edits, return_exceptions=True)

    async def deliver(self, job: Job, parcel: Delivery) -> Delivered | Refused:
        """Put the parcel into the job's reply; safe to repeat. Raises ReplyUnavailable.

        What has come to the user is not sent again, until the job is forgotten here.
        """
        self._languages.activate(job.reply.locale)
        watched = self._watched.add(job)
        async with watched.lock:
            if watched.delivered is not None:
                return watched.delivered
            answer = await self._deliver(watched, parcel)
            if isinstance(answer, Delivered):
                watched.delivered = answer
            return answer

    def forget(self, job_id: JobId) -> None:
        """Leave the job's reply as it is, and drop what is known of it soon."""
        if (watched := self._watched.get(job_id)) is not None:
            watched.is_over = True

    async def _deliver(self, watched: ReplyState, parcel: Delivery) -> Delivered | Refused:
        job, wish = watched.job, self._wish(watched, Urgency.FINAL)
        await self._turn(wish)
        sheet = MessageContent(card=result_card(job, parcel), files=attachment_files(parcel))
        match await self._edit(watched, wish, sheet):
            case Edited(message_id):
                return await self._with_the_rest(watched, parcel, message_id)
            case NotEdited(detail, is_too_large):
                if is_too_large:
                    return Refused(detail, too_large=True)
                log.info("%s: its reply is out of reach: %s", job.id, detail)
                return await self._send_directly(job, parcel)

    async def _with_the_rest(
        self, watched: ReplyState, parcel: Delivery, message_id: int
    ) -> Delivered | Refused:
        """Send what the reply has no room for."""
        if not parcel.more:
            return Delivered(message_id)
        job = watched.job
        sheet = MessageContent(card=continued_card(job), files=second_message_files(parcel))
        ways = self._routes.open_ways(job.reply, watched.closed)
        nonce = f"{job.interaction_id}-2"
        match await self._sequel.send(job.reply, sheet, ways=ways, nonce=nonce):
            case Edited():
                return Delivered(message_id)
            case NotEdited(detail, is_too_large):
                return Refused(detail, too_large=is_too_large, one_only=not is_too_large)

    async def _send_directly(self, job: Job, parcel: Delivery) -> Delivered | Refused:
        if parcel.more:
            return Refused("a direct message is one message", one_only=True)
        sheet = MessageContent(card=forwarded_card(job, parcel), files=attachment_files(parcel))
        match await self._direct.send(job.request.user_id, sheet, nonce=job.interaction_id):
            case Edited():
                return Delivered(None)
            case NotEdited(detail, is_too_large):
                return Refused(detail, too_large=is_too_large)

    async def _turn(self, wish: EditRequest) -> None:
        while True:
            wait_s = self._pacing.wait_s(wish, self._clock.monotonic())
            if not wait_s:
                return
            await asyncio.sleep(wait_s)

    async def _look_into_outbox(self) -> None:
        try:
            if not self._knows_unfinished:
                # Their cards may be current, so the outbox does not tell of them.
                for job in await self._jobs.unfinished():
                    if job.acknowledged_at is not None:
                        self._watched.add(job)
                self._knows_unfinished = True
            owed = await self._jobs.owed()
            # Those that wait for their turn are known: in a busy hour they are many.
            news = self._watched.news(owed)
            self._take(await self._jobs.stale_replies(news) if news else ())
            self._drop_what_is_over(owed)
        except StoreUnavailable as exc:
            log.warning("the outbox cannot be read: %s", exc)
        except Exception:
            log.exception("the outbox cannot be read")

    def _take(self, stale: Iterable[StaleReply]) -> None:
        for job, version in stale:
            self._watched.add(job).owes(version, self._clock.monotonic())

    def _drop_what_is_over(self, owed: Container[JobId]) -> None:
        # Not sooner: what was just read may be from before the job's end.
        for watched in list(self._watched):
            if watched.is_over and watched.job.id not in owed:
                self._drop(watched.job.id)

    def _drop(self, job_id: JobId) -> None:
        self._watched.drop(job_id)
        self._pacing.forget(job_id)

    def _start_edits(self) -> bool:
        """Begin the edits that are due; False when some must be left for the next round."""
        self._crowds = Counter(
            self._channel_of(each) for each in self._watched if not each.job.state.is_final
        )
        now = self._clock.monotonic()
        due = [each for each in self._watched if self._is_due(each, now)]
        room = min(EDITS_A_ROUND, EDITS_AT_A_TIME - len(self._edits))
        for watched in sorted(due, key=self._precedence)[:room]:
            watched.is_tended = True
            task = asyncio.create_task(self._tend(watched), name=f"reply {watched.job.id}")
            self._edits.add(task)
            task.add_done_callback(self._edits.discard)
        return len(due) <= room

    def _precedence(self, watched: ReplyState) -> tuple[Urgency, float]:
        """Who was kept waiting goes first: by then its card shows what has happened since."""
        if watched.wanted is None:
            return watched.urgency, self._pacing.edited_at(watched.job.id)
        return watched.urgency, watched.owed_since

    def _is_due(self, watched: ReplyState, now: float) -> bool:
        if not watched.may_be_tended(now):
            return False
        if watched.holds_result:
            return watched.wanted is not None
        is_news = (
            self._board.get(watched.job.id) != watched.progress
            or self._routes.is_closing(watched.job.reply) is not watched.is_closing
        )
        if watched.wanted is None and not is_news:
            return False
        return not self._pacing.wait_s(self._wish(watched, watched.urgency), now)

    async def _tend(self, watched: ReplyState) -> None:
        job_id = watched.job.id
        self._languages.activate(watched.job.reply.locale)
        try:
            async with watched.lock:
                await self._bring_up_to_date(watched)
        except (ReplyUnavailable, StoreUnavailable) as exc:
            log.warning("%s: its reply must wait: %s", job_id, exc)
            watched.failed(self._clock.monotonic())
        except Exception:
            log.exception("%s: its reply could not be written", job_id, extra={"job": job_id})
            watched.failed(self._clock.monotonic())
        finally:
            watched.is_tended = False

    async def _bring_up_to_date(self, watched: ReplyState) -> None:
        job, version = watched.job, watched.wanted
        message_id = None
        if not watched.holds_result:
            progress = self._board.get(job.id)
            is_closing = self._routes.is_closing(job.reply)
            card = card_of(job, progress, is_closing=is_closing)
            if card != watched.shown:
                wish = self._wish(watched, watched.urgency)
                wait_s = self._pacing.wait_s(wish, self._clock.monotonic())
                if wait_s:
                    return  # another edit of the same channel came first
                if wait_s is not None:
                    message_id = await self._show(watched, wish, card)
            watched.progress, watched.is_closing = progress, is_closing
        if version is not None:
            await self._jobs.reply_shown(job.id, version, message_id=message_id)
            watched.settled(version)
        if job.state.is_final and watched.wanted is None:
            self._drop(job.id)

    async def _show(self, watched: ReplyState, wish: EditRequest, card: Card) -> int | None:
        answer = await self._edit(watched, wish, MessageContent(card=card))
        watched.shown = card
        watched.failures = 0
        match answer:
            case Edited(message_id):
                watched.found(message_id)
                return message_id
            case NotEdited(detail):
                log.debug("%s: its reply stays as it is: %s", watched.job.id, detail)
                return None

    async def _edit(
        self, watched: ReplyState, wish: EditRequest, sheet: MessageContent
    ) -> Edited | NotEdited:
        self._pacing.made(wish, self._clock.monotonic())
        closed_before = len(watched.closed)
        answer = await self._routes.show(watched.job.reply, sheet, closed=watched.closed)
        for _ in range(len(watched.closed) - closed_before):
            self._pacing.refused(self._clock.monotonic())
        return answer

    def _wish(self, watched: ReplyState, urgency: Urgency) -> EditRequest:
        job = watched.job
        channel_id = self._channel_of(watched)
        since = job.acknowledged_at or job.created_at
        return EditRequest(
            job_id=job.id,
            urgency=urgency,
            age_s=(self._clock.now() - since).total_seconds(),
            channel_id=channel_id,
            crowd=self._crowds[channel_id],
        )

    def _channel_of(self, watched: ReplyState) -> int | None:
        ways = self._routes.open_ways(watched.job.reply, watched.closed)
        return watched.job.reply.channel_id if ways[:1] == [EditRoute.CHANNEL] else None

    async def _something_new(self) -> None:
        try:
            async with asyncio.timeout(self._sweep_s):
                await self._board.changed()
        except TimeoutError:
            pass  # time to look into the outbox all the same
