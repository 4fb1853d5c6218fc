"""Routing as a pure function of what is known."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from bot.domain.attempt import Attempt, AttemptState
from bot.domain.errors import Reason
from bot.domain.job import JobId
from bot.domain.stems import Recipe
from bot.providers.base import Capabilities
from bot.services.routing import Candidate, Exhausted, Go, Rest, Route, route
from tests.fakes import TWO_STEMS

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def candidate(name: str, *, resubmittable: bool = False, **now: float | bool) -> Candidate:
    capabilities = Capabilities(
        name=name, title=name, models=(TWO_STEMS,), is_resubmittable=resubmittable
    )
    return Candidate(capabilities=capabilities, **now)  # type: ignore[arg-type] # as the test says


def attempt(provider: str, state: AttemptState, number: int = 1) -> Attempt:
    return Attempt(
        job_id=JobId("a"),
        provider=provider,
        number=number,
        model="two",
        state=state,
        cost_minutes=4,
        submitted_at=NOW,
        updated_at=NOW,
    )


def go(
    candidates: Sequence[Candidate],
    attempts: Sequence[Attempt] = (),
    choice: str | None = None,
    recipe: Recipe = Recipe.KARAOKE,
) -> Route:
    return route(recipe=recipe, choice=choice, attempts=attempts, candidates=candidates)


def chosen(found: Route) -> str:
    assert isinstance(found, Go)
    return found.plan.provider


def test_the_first_in_order_of_preference_gets_the_job() -> None:
    assert chosen(go([candidate("a"), candidate("b")])) == "a"


def test_a_resting_provider_is_passed_over() -> None:
    assert chosen(go([candidate("a", rest_s=9.0), candidate("b")])) == "b"


def test_when_all_rest_the_job_waits_for_the_first_to_wake() -> None:
    assert go([candidate("a", rest_s=9.0), candidate("b", rest_s=4.0)]) == Rest(4.0)


def test_the_users_choice_is_the_only_candidate() -> None:
    assert chosen(go([candidate("a"), candidate("b")], choice="b")) == "b"
    assert go([candidate("a"), candidate("b", rest_s=3.0)], choice="b") == Rest(3.0)


@pytest.mark.parametrize(
    "state",
    [
        AttemptState.UNCERTAIN,
        AttemptState.REFUSED,
        AttemptState.FAILED,
        AttemptState.ABANDONED,
        AttemptState.DONE,
    ],
)
def test_a_provider_that_may_have_got_the_job_is_not_asked_again(state: AttemptState) -> None:
    assert chosen(go([candidate("a"), candidate("b")], [attempt("a", state)])) == "b"


def test_what_was_provably_not_sent_may_be_sent_again_twice() -> None:
    once = [attempt("a", AttemptState.NOT_SENT)]
    thrice = [attempt("a", AttemptState.NOT_SENT, number) for number in (1, 2, 3)]
    assert chosen(go([candidate("a"), candidate("b")], once)) == "a"
    assert chosen(go([candidate("a"), candidate("b")], thrice)) == "b"


def test_the_embedded_engine_is_started_three_times_at_most() -> None:
    starts = [attempt("local", AttemptState.FAILED, number) for number in (1, 2, 3)]
    local = candidate("local", resubmittable=True)
    assert chosen(go([local], starts[:2])) == "local"
    assert isinstance(go([local], starts), Exhausted)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ({"can_reach_file": False}, Reason.DOWNLOAD_FAILED),
        ({"is_affordable": False}, Reason.SPEND_CAP),
    ],
)
def test_what_stands_in_everyones_way_is_the_reason(now: dict[str, bool], reason: Reason) -> None:
    found = go([candidate("a", **now), candidate("b", **now)])
    assert isinstance(found, Exhausted)
    assert found.problem.reason is reason


def test_a_recipe_out_of_reach_is_said_so() -> None:
    found = go([candidate("a")], recipe=Recipe.STRINGS)
    assert isinstance(found, Exhausted)
    assert found.problem.reason is Reason.NO_PROVIDER
