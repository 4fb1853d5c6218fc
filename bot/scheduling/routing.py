"""Routing: a pure function that chooses the next provider for a job."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.attempt import MAX_LOCAL_STARTS, Attempt, AttemptError, AttemptState
from bot.domain.backoff import backoff_s
from bot.domain.errors import Problem, Reason
from bot.domain.job import Request
from bot.providers.interface import Capabilities
from bot.scheduling.plans import Plan, plan

MAX_NOT_SENT = 3
"""After this many tries that provably sent nothing, any other ready provider is preferred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The current state of a configured provider."""

    capabilities: Capabilities
    cooldown_s: float = 0.0
    needs_operator: bool = False
    """Whether it is in cooldown for a wrong key or spent credit, so that waiting does not help."""
    can_reach_file: bool = True
    """Whether it could fetch the user's file: there is an address, or it needs none."""
    is_affordable: bool = True
    """Whether the job fits under the caps on spend."""


@dataclass(frozen=True, slots=True)
class Go:
    """Submit by this plan as soon as the queue has a place."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Retry:
    """Wait for a provider that this job could not reach, and try again after `after_s` seconds."""

    plan: Plan
    after_s: float


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Wait, because all possible providers are in cooldown.

    This plan's provider is ready first, in `after_s` seconds.
    """

    plan: Plan
    after_s: float


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No provider is left to try."""

    problem: Problem


Route = Go | Retry | Cooldown | Exhausted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """A possible provider for the job, and its current delays."""

    plan: Plan
    cooldown_s: float
    """Seconds left of the provider's cooldown, which applies to all jobs."""
    backoff_s: float
    """Seconds left of this job's pause after failed tries."""
    is_last_resort: bool
    """Whether the job prefers any other ready provider, after too many failed tries."""
    is_worth_waiting: bool

    @property
    def after_s(self) -> float:
        return max(self.cooldown_s, self.backoff_s)

    @property
    def is_short(self) -> bool:
        """Whether to wait out a short outage of this provider instead of falling back."""
        return not self.cooldown_s and not self.is_last_resort

    def wait(self) -> Retry | Cooldown:
        kind = Cooldown if self.cooldown_s else Retry
        return kind(self.plan, self.after_s)


def route(
    request: Request,
    *,
    attempts: Sequence[Attempt],
    candidates: Sequence[Candidate],
    now: datetime,
    deadline: datetime,
) -> Route:
    """Choose the next provider for a job, in order of preference.

    An earlier attempt rules its provider out for this job, unless it provably sent nothing. After
    such an attempt the job pauses, and after a few it prefers any other ready provider. If the user
    chose a provider, it is the only candidate, under the same rules. Past the deadline the job no
    longer waits for providers.
    """
    choice = request.provider
    reachable = [
        (each, made)
        for each in candidates
        if choice in (None, each.capabilities.name)
        and (made := plan(request.recipe, each.capabilities)) is not None
    ]
    if not reachable:
        return Exhausted(Problem(Reason.NO_PROVIDER, {"recipe": request.recipe}))
    ways = sorted(_options(reachable, attempts, now), key=lambda way: way.is_last_resort)
    is_patient = now <= deadline
    for way in ways:
        if not way.after_s:
            return Go(way.plan)
        if way.is_short and is_patient:
            return way.wait()
    waits = [way for way in ways if way.is_worth_waiting and is_patient]
    if waits:
        return min(waits, key=lambda way: way.after_s).wait()
    return Exhausted(_why_nobody([each for each, _ in reachable], choice, attempts))


def _options(
    reachable: Sequence[tuple[Candidate, Plan]], attempts: Sequence[Attempt], now: datetime
) -> Iterator[_Option]:
    for each, made in reachable:
        own = [attempt for attempt in attempts if attempt.provider == made.provider]
        if not (each.can_reach_file and each.is_affordable and _is_open(each.capabilities, own)):
            continue
        # A busy provider is not more likely to be busy again, so its cooldown is enough.
        not_sent = [each for each in own if each.state is AttemptState.NOT_SENT]
        vain = [each for each in not_sent if each.error is not AttemptError.BUSY]
        yield _Option(
            plan=made,
            cooldown_s=each.cooldown_s,
            backoff_s=_left_of_backoff_s(vain, now),
            is_last_resort=len(vain) >= MAX_NOT_SENT,
            is_worth_waiting=not each.needs_operator,
        )


def _is_open(capabilities: Capabilities, own: Sequence[Attempt]) -> bool:
    states = [attempt.state for attempt in own]
    if AttemptState.REFUSED in states:
        return False
    starts = len(states) - states.count(AttemptState.NOT_SENT)
    return starts < MAX_LOCAL_STARTS if capabilities.is_resubmittable else starts == 0


def _left_of_backoff_s(vain: Sequence[Attempt], now: datetime) -> float:
    if not vain:
        return 0.0
    whole_s = backoff_s(len(vain), key=vain[-1].job_id)
    left_s = whole_s - (now - vain[-1].updated_at).total_seconds()
    # A clock that was set back must not lengthen the pause.
    return left_s if 0 < left_s <= whole_s else 0.0


def _why_nobody(
    candidates: Sequence[Candidate], choice: str | None, attempts: Sequence[Attempt]
) -> Problem:
    if attempts:
        match attempts[-1].error:
            case AttemptError.TIMED_OUT:
                return Problem(Reason.TIMED_OUT)
            case AttemptError.STARVED:
                return Problem(Reason.MACHINE_TOO_SMALL)
            case _:
                return _gave_up(candidates, choice)
    if all(not each.can_reach_file for each in candidates):
        return Problem(Reason.DOWNLOAD_FAILED)
    if all(not each.is_affordable for each in candidates):
        return Problem(Reason.SPEND_CAP)
    return _gave_up(candidates, choice)


def _gave_up(candidates: Sequence[Candidate], choice: str | None) -> Problem:
    """Return the problem of a job that all providers failed, naming the provider if the user chose
    one.
    """
    titles = {each.capabilities.name: each.capabilities.title for each in candidates}
    facts = {} if choice is None else {"provider": titles[choice]}
    return Problem(Reason.PROVIDERS_FAILED, facts)
