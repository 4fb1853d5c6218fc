"""How many requests the holders of one address may make together."""

from collections import OrderedDict, deque
from typing import Final

from bot.domain.clock import Clock
from bot.domain.job import JobId

REQUESTS: Final = 300
WITHIN_S: Final = 10.0
"""Thirty listeners need half of it; the rest is for jumps into what is not loaded."""
_REMEMBERED: Final = 1000


class RequestRate:
    """Counts requests by job; addresses would not do, since a proxy's may be everybody's."""

    def __init__(
        self, *, clock: Clock, requests: int = REQUESTS, within_s: float = WITHIN_S
    ) -> None:
        self._clock = clock
        self._requests = requests
        self._within_s = within_s
        self._seen: OrderedDict[JobId, deque[float]] = OrderedDict()

    def wait_s(self, job_id: JobId) -> float:
        """Count a request; return 0, or how long it has to wait, and then it does not count."""
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
