"""How often replies may be edited: pure rules over a monotonic clock that the caller reads."""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from bot.domain.job import JobId

PROGRESS_GAP_S = 3.0
LATER_PROGRESS_GAP_S = 10.0
FIRST_MINUTE_S = 60.0
STATE_GAP_S = 1.0
"""Not Discord's: what changes faster than this cannot be read."""
CHANNEL_GAP_S = 1.0
MAX_CROWD = 5
OLD_MESSAGE_S = 3600.0
"""Discord limits edits of messages older than this much harder (30046)."""
REFUSAL_WINDOW_S = 600.0
MAX_REFUSALS = 1000
"""Of the 10,000 refused requests in 10 minutes after which Discord bans an address."""


class Urgency(IntEnum):
    """What an edit shows; the lower goes first."""

    FINAL = 0
    STATE = 1
    PROGRESS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """An edit that somebody would like to make now."""

    job_id: JobId
    urgency: Urgency
    age_s: float
    """Since the reply was first shown."""
    channel_id: int | None = None
    """The channel whose limit it counts against; None for an edit by token, which has none."""
    crowd: int = 1
    """Unfinished cards in that channel."""


class Pacing:
    """Knows when each reply, and each channel, was last edited, and which last edits wait."""

    def __init__(self) -> None:
        self._jobs: dict[JobId, float] = {}
        self._channels: dict[int, float] = {}
        self._lines: dict[int, dict[JobId, None]] = {}
        self._refusals: deque[float] = deque()

    def wait_s(self, wish: EditRequest, now: float) -> float | None:
        """Return how long the edit must wait, 0 for not at all, None for not to be made.

        A last edit that must wait stands in line for its channel from then on: those that came
        later go after it, and what is not last goes after them all.
        """
        if wish.urgency is not Urgency.FINAL and self._is_unwelcome(wish, now):
            return None
        free_at = max(self._job_free_at(wish, now), self._channel_free_at(wish, now))
        wait_s = max(0.0, free_at - now)
        if wait_s and wish.urgency is Urgency.FINAL and wish.channel_id is not None:
            self._lines.setdefault(wish.channel_id, {})[wish.job_id] = None
        return wait_s

    def made(self, wish: EditRequest, now: float) -> None:
        """Note that an edit is being made."""
        self._leave_lines(wish.job_id)
        self._jobs[wish.job_id] = now
        if wish.channel_id is not None:
            self._channels[wish.channel_id] = now
            self._forget_quiet_channels(now)

    def edited_at(self, job_id: JobId) -> float:
        """Return when the reply was last edited; the beginning of time if it never was."""
        return self._jobs.get(job_id, float("-inf"))

    def refused(self, now: float) -> None:
        """Note that Discord refused an edit for good."""
        self._refusals.append(now)

    def forget(self, job_id: JobId) -> None:
        """Forget a job whose reply is complete."""
        self._jobs.pop(job_id, None)
        self._leave_lines(job_id)

    def _is_unwelcome(self, wish: EditRequest, now: float) -> bool:
        while self._refusals and self._refusals[0] <= now - REFUSAL_WINDOW_S:
            self._refusals.popleft()
        if len(self._refusals) >= MAX_REFUSALS:
            return True
        if wish.channel_id is None:
            return False
        is_crowded = wish.urgency is Urgency.PROGRESS and wish.crowd > MAX_CROWD
        return is_crowded or wish.age_s >= OLD_MESSAGE_S

    def _job_free_at(self, wish: EditRequest, now: float) -> float:
        last = self._jobs.get(wish.job_id)
        if last is None:
            return now
        match wish.urgency:
            case Urgency.FINAL:
                return now
            case Urgency.STATE:
                return last + STATE_GAP_S
            case Urgency.PROGRESS:
                is_young = wish.age_s < FIRST_MINUTE_S
                return last + (PROGRESS_GAP_S if is_young else LATER_PROGRESS_GAP_S)

    def _channel_free_at(self, wish: EditRequest, now: float) -> float:
        if wish.channel_id is None or wish.channel_id not in self._channels:
            return now
        turns = 1 + self._ahead(wish.channel_id, wish)
        # Counted from the latest edit: whoever does not come for its turn is passed after a while.
        return self._channels[wish.channel_id] + turns * CHANNEL_GAP_S

    def _ahead(self, channel_id: int, wish: EditRequest) -> int:
        line = list(self._lines.get(channel_id, ()))
        return line.index(wish.job_id) if wish.job_id in line else len(line)

    def _leave_lines(self, job_id: JobId) -> None:
        for channel_id, line in list(self._lines.items()):
            line.pop(job_id, None)
            if not line:
                del self._lines[channel_id]

    def _forget_quiet_channels(self, now: float) -> None:
        if len(self._channels) > 1000:
            self._channels = {
                channel_id: last
                for channel_id, last in self._channels.items()
                if last > now - CHANNEL_GAP_S
            }
