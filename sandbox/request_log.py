"""A log of the bot's requests, without tokens, for tests to inspect."""

import re
from collections import deque

from sandbox.clock import SandboxClock, iso
from sandbox.errors import Json

_KEPT = 10_000
_TOKENS = re.compile(r"^/(webhooks|interactions)/(\d+)/[^/]+")


class RequestLog:
    """The latest requests, oldest first. `total` includes those that were dropped."""

    def __init__(self, *, clock: SandboxClock) -> None:
        self._clock = clock
        self._entries: deque[Json] = deque(maxlen=_KEPT)
        self.total = 0

    def add(self, *, method: str, path: str, status: int | None, code: int | None) -> None:
        """Add a request. A status of None means that the connection was broken."""
        self.total += 1
        self._entries.append(
            {
                "method": method,
                "path": _TOKENS.sub(r"/\1/\2/:token", path),
                "status": status,
                "code": code,
                "at": iso(self._clock.now()),
            }
        )

    def entries(self) -> list[Json]:
        """Return the requests that are kept."""
        return list(self._entries)
