"""Cooldown: which providers rest, and until when. In memory; a restart forgives.

Kept apart from retry (same call again) and fallback (next provider), as LiteLLM's router does.
"""

from collections import deque
from dataclasses import dataclass, field

from bot.domain.attempt import AttemptError
from bot.domain.clock import Clock
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderError,
    ProviderQuotaSpent,
    ProviderRefused,
)

WINDOW_S = 60.0
MIN_CALLS = 5
COOLDOWN_S = 60.0
COOLDOWN_BUSY_S = 15.0
COOLDOWN_OPERATOR_S = 600.0
"""For what only the owner can mend: a wrong key, a suspended account, no credit."""


@dataclass(slots=True)
class _Record:
    calls: deque[tuple[float, bool]] = field(default_factory=deque)
    rests_until: float = 0.0
    cause: AttemptError | None = None


class CircuitBreaker:
    """What the latest calls say about each provider."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}

    def cooldown_s(self, provider: str) -> float:
        """Return the seconds that `provider` still rests; 0 when it may be called."""
        return max(0.0, self._of(provider).rests_until - self._clock.monotonic())

    def cause(self, provider: str) -> AttemptError | None:
        """Return why it rests, or None when it does not."""
        return self._of(provider).cause if self.cooldown_s(provider) else None

    def needs_operator(self, provider: str) -> bool:
        """Whether it rests for what waiting does not mend."""
        cause = self.cause(provider)
        return cause is not None and cause.needs_operator

    def record_success(self, provider: str) -> None:
        """Note an answer as it should be."""
        self._note(provider, ok=True)

    def record_failure(self, provider: str, error: ProviderError) -> None:
        """Note an error; what concerns the user's file alone does not count."""
        match error:
            case ProviderRefused():
                return
            case ProviderAuth() | ProviderQuotaSpent():
                self._rest(provider, COOLDOWN_OPERATOR_S, error)
            case ProviderBusy(retry_after_s=wait):
                self._rest(provider, COOLDOWN_BUSY_S if wait is None else wait, error)
            case _:
                self._note(provider, ok=False)
                if self._fails_mostly(provider):
                    self._rest(provider, COOLDOWN_S, error)

    def _of(self, provider: str) -> _Record:
        return self._records.setdefault(provider, _Record())

    def _note(self, provider: str, *, ok: bool) -> None:
        now = self._clock.monotonic()
        calls = self._of(provider).calls
        calls.append((now, ok))
        while calls[0][0] < now - WINDOW_S:
            calls.popleft()

    def _fails_mostly(self, provider: str) -> bool:
        calls = self._of(provider).calls
        failures = sum(not ok for _, ok in calls)
        return len(calls) >= MIN_CALLS and failures * 2 > len(calls)

    def _rest(self, provider: str, seconds: float, error: ProviderError) -> None:
        record = self._of(provider)
        record.rests_until = max(record.rests_until, self._clock.monotonic() + seconds)
        record.cause = AttemptError.of(error)
