"""Puts providers that keep failing into cooldown.

State is kept in memory only, so a restart clears it. Cooldowns are separate from retries (the same
call again) and fallbacks (the next provider), as in LiteLLM's router.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.attempt import AttemptError
from bot.domain.clock import Clock
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderError,
    ProviderQuotaSpent,
    ProviderRefused,
    SubmitUncertain,
)

log = logging.getLogger(__name__)

COOLDOWN_BUSY_S = 15.0
COOLDOWN_OPERATOR_S = 600.0
"""For problems that only the operator can fix: a wrong key, a suspended account, no credit."""


class Operation(StrEnum):
    """The kinds of calls to a provider, whose successes and failures are counted separately.

    Counted together, the many successful polls would hide that no task succeeds.
    """

    SUBMIT = "submit"
    POLL = "poll"
    TASK = "task"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The failure rate at which an operation puts its provider into cooldown."""

    window_s: float = 60.0
    min_calls: int = 5
    cooldown_s: float = 60.0


LIMITS: Mapping[Operation, Limit] = {
    Operation.SUBMIT: Limit(),
    Operation.POLL: Limit(),
    # Tasks take minutes, and a failed one may be billed.
    Operation.TASK: Limit(window_s=3600.0, min_calls=3, cooldown_s=300.0),
    Operation.FETCH: Limit(),
}


@dataclass(slots=True)
class _Record:
    outcomes: defaultdict[Operation, deque[tuple[float, bool]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    rests_until: float = 0.0
    cause: AttemptError | None = None
    is_key_refused: bool = False


class CircuitBreaker:
    """Tracks the outcomes of recent operations, and puts failing providers into cooldown."""

    def __init__(self, *, clock: Clock, key_settings: Mapping[str, str] | None = None) -> None:
        """`key_settings` are the names of the settings with providers' keys, for the log."""
        self._clock = clock
        self._key_settings = key_settings or {}
        self._records: dict[str, _Record] = {}

    def cooldown_s(self, provider: str) -> float:
        """Return the seconds left of `provider`'s cooldown; 0 if it may be called."""
        return max(0.0, self._of(provider).rests_until - self._clock.monotonic())

    def cause(self, provider: str) -> AttemptError | None:
        """Return the cause of the provider's cooldown, or None if there is no cooldown."""
        return self._of(provider).cause if self.cooldown_s(provider) else None

    def needs_operator(self, provider: str) -> bool:
        """Whether only the operator can fix the cause of the cooldown."""
        cause = self.cause(provider)
        return cause is not None and cause.needs_operator

    def record_success(self, provider: str, operation: Operation) -> None:
        """Record a successful operation."""
        if operation in (Operation.SUBMIT, Operation.POLL):
            self._of(provider).is_key_refused = False
        self._note(provider, operation, is_good=True)

    def record_failure(self, provider: str, operation: Operation, error: ProviderError) -> None:
        """Record an error; errors that concern only the user's file do not count."""
        match error:
            case ProviderRefused():
                return
            case ProviderAuth() | ProviderQuotaSpent():
                self._rest(provider, COOLDOWN_OPERATOR_S, AttemptError.of(error))
                if isinstance(error, ProviderAuth):
                    self._log_refused_key(provider, error)
            case ProviderBusy(retry_after_s=wait_s):
                rest_s = COOLDOWN_BUSY_S if wait_s is None else wait_s
                self._rest(provider, rest_s, AttemptError.of(error))
            case SubmitUncertain():  # may be billed, like a failed task
                self._fail(provider, Operation.TASK, AttemptError.of(error))
            case _:
                self._fail(provider, operation, AttemptError.of(error))

    def record_failed_task(self, provider: str, error: AttemptError) -> None:
        """Record a task that the provider accepted but did not complete, with its error."""
        self._fail(provider, Operation.TASK, error)

    def _log_refused_key(self, provider: str, error: ProviderAuth) -> None:
        """Log a refused key only once until the provider accepts it, because every call is
        refused.
        """
        record = self._of(provider)
        if record.is_key_refused:
            return
        record.is_key_refused = True
        setting = self._key_settings.get(provider, "the setting that holds its key")
        log.error(
            "%s refuses its key: %s; correct %s and restart the bot", provider, error, setting
        )

    def _of(self, provider: str) -> _Record:
        return self._records.setdefault(provider, _Record())

    def _fail(self, provider: str, operation: Operation, cause: AttemptError) -> None:
        self._note(provider, operation, is_good=False)
        outcomes, limit = self._of(provider).outcomes[operation], LIMITS[operation]
        failures = sum(not is_good for _, is_good in outcomes)
        if len(outcomes) >= limit.min_calls and failures * 2 > len(outcomes):
            self._rest(provider, limit.cooldown_s, cause)

    def _note(self, provider: str, operation: Operation, *, is_good: bool) -> None:
        now, outcomes = self._clock.monotonic(), self._of(provider).outcomes[operation]
        outcomes.append((now, is_good))
        while outcomes[0][0] < now - LIMITS[operation].window_s:
            outcomes.popleft()

    def _rest(self, provider: str, seconds: float, cause: AttemptError) -> None:
        """Start a cooldown, unless one that ends later is running."""
        record, until = self._of(provider), self._clock.monotonic() + seconds
        if until > record.rests_until:
            record.rests_until, record.cause = until, cause
