"""Routing: which provider gets a job next. A pure function; it calls and stores nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.attempt import Attempt, AttemptState
from bot.domain.errors import Problem, ProviderBusy, Reason
from bot.domain.stems import Recipe
from bot.providers.base import Capabilities
from bot.services.plans import Plan, plan

MAX_NOT_SENT = 3
"""Tries at one provider that provably sent nothing before the job moves on."""
MAX_LOCAL_STARTS = 3
"""Starts of one job on a provider in this process; a song that kills it three times is left."""
TIMED_OUT = "TimedOut"
"""What an attempt says when its deadline ended it."""
BUSY = ProviderBusy.__name__
"""What an attempt says when the provider was at a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A configured provider as it is just now."""

    capabilities: Capabilities
    rest_s: float = 0.0
    needs_owner: bool = False
    """It rests for a wrong key or used up credit: waiting for it is of no use."""
    can_reach_file: bool = True
    """It could fetch the user's file: there is an address for it, or it needs none."""
    is_affordable: bool = True
    """Neither cap on the owner's spend stands in the way of this job."""


@dataclass(frozen=True, slots=True)
class Go:
    """Submit by this plan, once there is a place in its line."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Rest:
    """Everyone who could take the job is resting; this one wakes first, in so many seconds."""

    plan: Plan
    after_s: float


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nobody is left to try."""

    problem: Problem


Route = Go | Rest | Exhausted


def route(
    *,
    recipe: Recipe,
    choice: str | None,
    attempts: Sequence[Attempt],
    candidates: Sequence[Candidate],
) -> Route:
    """Choose the next provider for a job, in order of preference.

    A provider's own earlier attempts close it for this job, except those that provably sent
    nothing. The user's `choice` leaves one candidate; everything else applies to it as well.
    """
    reachable = [
        (each, made)
        for each in candidates
        if choice in (None, each.capabilities.name)
        and (made := plan(recipe, each.capabilities)) is not None
    ]
    if not reachable:
        return Exhausted(Problem(Reason.NO_PROVIDER, {"recipe": recipe}))
    open_ones = [
        (each, made)
        for each, made in reachable
        if each.can_reach_file
        and each.is_affordable
        and _may_try_again(each.capabilities, attempts)
    ]
    for each, made in open_ones:
        if not each.rest_s:
            return Go(made)
    worth_waiting = [(each.rest_s, made) for each, made in open_ones if not each.needs_owner]
    if worth_waiting:
        after_s, made = min(worth_waiting, key=lambda rest: rest[0])
        return Rest(made, after_s)
    return Exhausted(_why_nobody([each for each, _ in reachable], choice, attempts))


def _may_try_again(capabilities: Capabilities, attempts: Sequence[Attempt]) -> bool:
    own = [attempt for attempt in attempts if attempt.provider == capabilities.name]
    not_sent = [attempt for attempt in own if attempt.state is AttemptState.NOT_SENT]
    # Who is busy will have time again: patience ends that wait, not a number of tries.
    if sum(attempt.error != BUSY for attempt in not_sent) >= MAX_NOT_SENT:
        return False
    starts = len(own) - len(not_sent)
    return starts < MAX_LOCAL_STARTS if capabilities.is_resubmittable else starts == 0


def _why_nobody(
    candidates: Sequence[Candidate], choice: str | None, attempts: Sequence[Attempt]
) -> Problem:
    if attempts:
        timed_out = attempts[-1].error == TIMED_OUT
        return Problem(Reason.TIMED_OUT) if timed_out else _gave_up(candidates, choice)
    if all(not each.can_reach_file for each in candidates):
        return Problem(Reason.DOWNLOAD_FAILED)
    if all(not each.is_affordable for each in candidates):
        return Problem(Reason.SPEND_CAP)
    return _gave_up(candidates, choice)


def _gave_up(candidates: Sequence[Candidate], choice: str | None) -> Problem:
    """Return the problem of a job that no provider made; names the one that its user chose."""
    titles = {each.capabilities.name: each.capabilities.title for each in candidates}
    facts = {} if choice is None else {"provider": titles[choice]}
    return Problem(Reason.PROVIDERS_FAILED, facts)
