"""Limits the requests that all holders of one address make together."""

from collections import OrderedDict, deque
from typing import Final

from bot.domain.clock import Clock
from bot.domain.job import JobId

REQUESTS: Final = 300
WITHIN_S: Final = 10.0
"""Thirty listeners need half of the requests; the rest allows for seeks to packs not loaded."""
_REMEMBERED: Final = 1000


class RequestRate:
    """Counts requests by job, because all clients behind a proxy may share one network address."""

    def __init__(
        self, *, clock: Clock, requests: int = REQUESTS, within_s: float = WITHIN_S
    ) -> None:
        self._clock = clock
        self._requests = requests
        self._within_s = within_s
        self._seen: OrderedDict[JobId, deque[float]] = OrderedDict()

    def wait_s(self, job_id: JobId) -> float:
        """Count a request and return 0; above the limit, only return the seconds to wait."""
        now = self._clock.monotonic()
        seen = self._seen.setdefault(job_id, deque())
        self._seen.move_to_end(job_id)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        while seen and now - seen[0] >= self._within_s:
            seen.popleft()
        if len(seen) >= self._requests:
            return self._within_s - (now - seen[0])
        seen.append(now)
        return 0.0
