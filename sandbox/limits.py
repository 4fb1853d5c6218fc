"""Rate limits by bucket, counted and reported in headers as Discord does."""

import hashlib
import re
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.clock import SandboxClock
from sandbox.errors import DiscordError, Json

OLD_MESSAGE_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Allows `most` requests per `window_s` for each value of the pattern's groups."""

    name: str
    pattern: re.Pattern[str]
    most: int
    window_s: float


def _rule(name: str, pattern: str, most: int, window_s: float) -> Rule:
    return Rule(name=name, pattern=re.compile(pattern), most=most, window_s=window_s)


# Discord does not document these limits. The figures are those that its headers commonly report.
RULES = (
    _rule("messages", r"POST /channels/(\d+)/messages", 5, 5.0),
    _rule("edits", r"PATCH /channels/(\d+)/messages/\d+", 5, 5.0),
    _rule("deletions", r"DELETE /channels/(\d+)/messages/\d+", 5, 1.0),
    _rule("webhook", r"\w+ /webhooks/\d+/([^/]+)(?:/.*)?", 5, 2.0),
)
_EXEMPT_FROM_GLOBAL = re.compile(r"\w+ /(?:interactions|webhooks)/.*")


@dataclass(slots=True)
class _Window:
    ends_at: float = 0.0
    used: int = 0


class RateLimited(DiscordError):
    """A 429 with the time to wait. The `Via` header marks it as Discord's own."""

    def __init__(self, retry_after_s: float, *, is_global: bool = False) -> None:
        details: Json = {"retry_after": round(retry_after_s, 3), "global": is_global}
        message = "You are being rate limited."
        super().__init__(0, status=429, message=message, details=details)
        self.headers = {
            "Retry-After": str(max(1, round(retry_after_s))),
            "Via": "1.1 sandbox",
            "X-RateLimit-Scope": "global" if is_global else "user",
        }
        if is_global:
            self.headers["X-RateLimit-Global"] = "true"


@dataclass(slots=True, kw_only=True)
class RateLimits:
    """Counts requests by the machine's clock, and edits of old messages by the sandbox's."""

    clock: SandboxClock
    is_enabled: bool = True
    requests_a_second: int = 50
    # Discord's actual limit is undocumented, but low.
    old_edits_an_hour: int = 20
    refusals: Counter[str] = field(default_factory=Counter)
    """How often each limit was hit, by rule name or `global`."""
    _windows: dict[tuple[str, str], _Window] = field(default_factory=dict)
    _recent: deque[float] = field(default_factory=deque)
    _old_edits: dict[int, deque[float]] = field(default_factory=dict)

    def count(self, method: str, path: str) -> Mapping[str, str]:
        """Count a request, and return the headers for its response. Raises RateLimited."""
        if not self.is_enabled:
            return {}
        request = f"{method} {path}"
        if not _EXEMPT_FROM_GLOBAL.fullmatch(request):
            self._count_globally()
        for rule in RULES:
            if match := rule.pattern.fullmatch(request):
                return self._count_in_bucket(rule, match[1])
        return {}

    def count_old_edit(self, channel_id: int, created_at: float) -> None:
        """Count an edit of an old message by channel. Raises `30046` for too many."""
        now = self.clock.now()
        if not self.is_enabled or now - created_at < OLD_MESSAGE_S:
            return
        edits = self._old_edits.setdefault(channel_id, deque())
        while edits and edits[0] <= now - OLD_MESSAGE_S:
            edits.popleft()
        if len(edits) >= self.old_edits_an_hour:
            raise DiscordError(30046)
        edits.append(now)

    def _count_globally(self) -> None:
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= self.requests_a_second:
            self.refusals["global"] += 1
            raise RateLimited(1 - (now - self._recent[0]), is_global=True)
        self._recent.append(now)

    def _count_in_bucket(self, rule: Rule, key: str) -> Mapping[str, str]:
        now = time.monotonic()
        window = self._windows.setdefault((rule.name, key), _Window())
        if now >= window.ends_at:
            window.ends_at, window.used = now + rule.window_s, 0
        left_s = window.ends_at - now
        if window.used >= rule.most:
            self.refusals[rule.name] += 1
            raise RateLimited(left_s)
        window.used += 1
        return {
            "X-RateLimit-Bucket": hashlib.sha256(rule.name.encode()).hexdigest()[:32],
            "X-RateLimit-Limit": str(rule.most),
            "X-RateLimit-Remaining": str(rule.most - window.used),
            "X-RateLimit-Reset": f"{time.time() + left_s:.3f}",
            "X-RateLimit-Reset-After": f"{left_s:.3f}",
        }
