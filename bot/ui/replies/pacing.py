"""Limits how often replies are edited: pure rules over a monotonic clock that the caller reads.

The limits are our own, well below Discord's, unless a comment says otherwise.
"""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from bot.domain.job import JobId

PROGRESS_GAP_S = 3.0
LATER_PROGRESS_GAP_S = 10.0
FIRST_MINUTE_S = 60.0
STATE_GAP_S = 1.0
"""The least time between changes of a card, so that users have time to read it."""
CHANNEL_GAP_S = 1.0
MAX_PROGRESS_CARDS = 5
"""The most unfinished cards in a channel for which progress is shown."""
OLD_MESSAGE_S = 3600.0
"""The age after which Discord limits edits of a message much more strictly (error 30046)."""
REFUSAL_WINDOW_S = 600.0
MAX_REFUSALS = 1000
"""Discord bans an address after 10,000 refused requests in 10 minutes; this stays far below."""
MAX_REMEMBERED_CHANNELS = 1000


class Urgency(IntEnum):
    """The purpose of an edit; the lowest value goes first."""

    FINAL = 0
    STATE = 1
    PROGRESS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """An edit that is due now."""

    job_id: JobId
    urgency: Urgency
    age_s: float
    """Seconds since the reply was first shown."""
    channel_id: int | None = None
    """The channel against whose limit the edit counts; None for an edit by token."""
    active_cards: int = 1
    """The number of unfinished cards in that channel."""


class Pacing:
    """Tracks when replies and channels were last edited, and which final edits wait."""

    def __init__(self) -> None:
        self._jobs: dict[JobId, float] = {}
        self._channels: dict[int, float] = {}
        self._queues: dict[int, dict[JobId, None]] = {}
        self._refusals: deque[float] = deque()

    def wait_s(self, request: EditRequest, now: float) -> float | None:
        """Return the seconds until the edit may be made, 0 for now, or None if it should be
        skipped.

        A final edit that has to wait joins its channel's queue: later final edits go after it, and
        other edits go after the whole queue.
        """
        if request.urgency is not Urgency.FINAL and self._is_unwelcome(request, now):
            return None
        free_at = max(self._job_free_at(request, now), self._channel_free_at(request, now))
        wait_s = max(0.0, free_at - now)
        if wait_s and request.urgency is Urgency.FINAL and request.channel_id is not None:
            self._queues.setdefault(request.channel_id, {})[request.job_id] = None
        return wait_s

    def made(self, request: EditRequest, now: float) -> None:
        """Record that an edit is being made."""
        self._leave_queues(request.job_id)
        self._jobs[request.job_id] = now
        if request.channel_id is not None:
            self._channels[request.channel_id] = now
            self._forget_quiet_channels(now)

    def edited_at(self, job_id: JobId) -> float:
        """Return when the reply was last edited; minus infinity if never."""
        return self._jobs.get(job_id, float("-inf"))

    def refused(self, now: float) -> None:
        """Record that Discord permanently refused an edit."""
        self._refusals.append(now)

    def forget(self, job_id: JobId) -> None:
        """Forget a job whose reply is complete."""
        self._jobs.pop(job_id, None)
        self._leave_queues(job_id)

    def _is_unwelcome(self, request: EditRequest, now: float) -> bool:
        while self._refusals and self._refusals[0] <= now - REFUSAL_WINDOW_S:
            self._refusals.popleft()
        if len(self._refusals) >= MAX_REFUSALS:
            return True
        if request.channel_id is None:
            return False
        is_progress = request.urgency is Urgency.PROGRESS
        is_crowded = is_progress and request.active_cards > MAX_PROGRESS_CARDS
        return is_crowded or request.age_s >= OLD_MESSAGE_S

    def _job_free_at(self, request: EditRequest, now: float) -> float:
        last = self._jobs.get(request.job_id)
        if last is None:
            return now
        match request.urgency:
            case Urgency.FINAL:
                return now
            case Urgency.STATE:
                return last + STATE_GAP_S
            case Urgency.PROGRESS:
                is_young = request.age_s < FIRST_MINUTE_S
                return last + (PROGRESS_GAP_S if is_young else LATER_PROGRESS_GAP_S)

    def _channel_free_at(self, request: EditRequest, now: float) -> float:
        if request.channel_id is None or request.channel_id not in self._channels:
            return now
        turns = 1 + self._ahead(request.channel_id, request)
        # Counted from the latest edit, so that others can overtake a job that misses its turn.
        return self._channels[request.channel_id] + turns * CHANNEL_GAP_S

    def _ahead(self, channel_id: int, request: EditRequest) -> int:
        queue = list(self._queues.get(channel_id, ()))
        return queue.index(request.job_id) if request.job_id in queue else len(queue)

    def _leave_queues(self, job_id: JobId) -> None:
        for channel_id, queue in list(self._queues.items()):
            queue.pop(job_id, None)
            if not queue:
                del self._queues[channel_id]

    def _forget_quiet_channels(self, now: float) -> None:
        if len(self._channels) > MAX_REMEMBERED_CHANNELS:
            self._channels = {
                channel_id: last
                for channel_id, last in self._channels.items()
                if last > now - CHANNEL_GAP_S
            }
