"""Limits on a user's uncharged work: unreadable files, repeats and renditions.

Kept in memory only, so a restart clears the counts.
"""

import itertools
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.domain.clock import Clock
from bot.domain.errors import Reason, Rejected
from bot.domain.job import UserId

FREE_REFUSALS: Final = 3
"""Refused files in a row before the user has to pause."""
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
REPEATS_AN_HOUR: Final = 20
HOUR: Final = timedelta(hours=1)
_MAX_DOUBLINGS: Final = 10

UNREADABLE: Final = frozenset(
    {
        Reason.NOT_AUDIO,
        Reason.EMPTY_FILE,
        Reason.NO_AUDIO_TRACK,
        Reason.BROKEN_FILE,
        Reason.UNREAD_KIND,
        Reason.UNREAD_CODEC,
        Reason.TOO_SHORT,
        Reason.TOO_LONG,
    }
)
"""Refusals by the decoder, whose work is not charged."""


@dataclass(frozen=True, slots=True)
class _Refusals:
    in_a_row: int
    latest_at: datetime

    @property
    def ends_at(self) -> datetime:
        """The time from which the user may send a file again."""
        beyond = self.in_a_row - FREE_REFUSALS
        if beyond < 0:
            return self.latest_at
        return self.latest_at + min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(beyond, _MAX_DOUBLINGS)))


class RefusedFiles:
    """Makes users pause after repeated refusals, longer each time."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._refusals: dict[UserId, _Refusals] = {}

    def check(self, user_id: UserId) -> None:
        """Raise Rejected with UNREADABLE_FILES and the end of the pause, if the user has to
        pause.
        """
        found = self._refusals.get(user_id)
        if found is not None and found.ends_at > self._clock.now():
            raise Rejected(Reason.UNREADABLE_FILES, again_at=_seconds(found.ends_at))

    def note_refused(self, user_id: UserId, reason: Reason) -> None:
        """Count a refused file if the decoder refused it."""
        if reason not in UNREADABLE:
            return
        now = self._clock.now()
        self._refusals = _recent(self._refusals, now)
        former = self._refusals.get(user_id)
        self._refusals[user_id] = _Refusals(1 + (former.in_a_row if former else 0), now)

    def note_read(self, user_id: UserId) -> None:
        """Reset the user's count after a readable file."""
        self._refusals.pop(user_id, None)


class RepeatLimit:
    """Limits how many uncharged repeats a user gets per hour."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._times: dict[UserId, deque[datetime]] = {}

    def take(self, user_id: UserId) -> None:
        """Count a repeat; raises Rejected with TOO_MANY_REPEATS beyond the limit."""
        now = self._clock.now()
        for known, times in list(self._times.items()):
            while times and times[0] <= now - HOUR:
                times.popleft()
            if not times:
                del self._times[known]
        times = self._times.setdefault(user_id, deque())
        if len(times) >= REPEATS_AN_HOUR:
            raise Rejected(Reason.TOO_MANY_REPEATS, again_at=_seconds(times[0] + HOUR))
        times.append(now)


class RenderLimit:
    """Limits the minutes of music that a user may have rendered within an hour."""

    def __init__(self, *, clock: Clock, minutes: int) -> None:
        self._clock = clock
        self._minutes = minutes
        self._taken: dict[UserId, deque[tuple[datetime, int]]] = {}

    @property
    def minutes(self) -> int:
        """The minutes that a user may have rendered within an hour."""
        return self._minutes

    @contextmanager
    def taking(self, user_id: UserId, minutes: int) -> Iterator[None]:
        """Count a song of this length once, unless the block raises.

        Raises Rejected with RENDER_LIMIT if it does not fit, without facts if renditions are off.
        """
        taken = self._within_the_hour(user_id)
        if self._minutes < minutes:
            facts = {"minutes": self._minutes} if self._minutes else {}
            raise Rejected(Reason.RENDER_LIMIT, **facts)
        if sum(each for _, each in taken) + minutes > self._minutes:
            raise Rejected(
                Reason.RENDER_LIMIT,
                minutes=self._minutes,
                again_at=_seconds(_room_at(taken, minutes, self._minutes)),
            )
        entry = (self._clock.now(), minutes)
        taken.append(entry)
        try:
            yield
        except BaseException:
            if entry in taken:  # unless it is over an hour old by now
                taken.remove(entry)
            raise

    def _within_the_hour(self, user_id: UserId) -> deque[tuple[datetime, int]]:
        """Return what the user has taken, and forget everyone's older entries."""
        since = self._clock.now() - HOUR
        for known, taken in list(self._taken.items()):
            while taken and taken[0][0] <= since:
                taken.popleft()
            if not taken:
                del self._taken[known]
        return self._taken.setdefault(user_id, deque())


def _room_at(taken: Collection[tuple[datetime, int]], minutes: int, limit: int) -> datetime:
    """Return when enough of what was taken is an hour old."""
    excess = sum(each for _, each in taken) + minutes - limit
    sums = itertools.accumulate(each for _, each in taken)
    return next(at + HOUR for (at, _), freed in zip(taken, sums, strict=True) if freed >= excess)


def _recent(refusals: Mapping[UserId, _Refusals], now: datetime) -> dict[UserId, _Refusals]:
    """Return the refusals, without those whose pause ended over `LONGEST_PAUSE` ago."""
    return {
        user_id: each for user_id, each in refusals.items() if each.ends_at + LONGEST_PAUSE > now
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp()) + 1
