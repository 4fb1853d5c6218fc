"""Routing, tested as a pure function."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from bot.domain.attempt import Attempt, AttemptError, AttemptState
from bot.domain.errors import Problem, Reason
from bot.domain.job import JobId
from bot.domain.recipes import Recipe
from bot.providers.interface import Capabilities
from bot.scheduling.routing import Candidate, Cooldown, Exhausted, Go, Retry, Route, route
from tests.support.fakes import TWO_STEMS
from tests.support.harness import REQUEST

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
    *,
    after_s: float = 0.0,
    patience_s: float = 3600.0,
) -> Route:
    return route(
        replace(REQUEST, recipe=recipe, provider=choice),
        attempts=attempts,
        candidates=candidates,
        now=NOW + timedelta(seconds=after_s),
        deadline=NOW + timedelta(seconds=patience_s),
    )


def in_vain(provider: str, tries: int, job: str = "a") -> list[Attempt]:
    """Return a job's failed attempts, all of them unsent."""
    numbers = range(1, tries + 1)
    made = [attempt(provider, AttemptState.NOT_SENT, number) for number in numbers]
    return [replace(each, job_id=JobId(job), error=AttemptError.DOWN) for each in made]


def chosen(found: Route) -> str:
    assert isinstance(found, Go)
    return found.plan.provider


def test_the_first_in_order_of_preference_gets_the_job() -> None:
    assert chosen(go([candidate("a"), candidate("b")])) == "a"


def test_a_resting_provider_is_passed_over() -> None:
    assert chosen(go([candidate("a", cooldown_s=9.0), candidate("b")])) == "b"


def test_when_all_rest_the_job_waits_for_the_first_to_wake() -> None:
    found = go([candidate("a", cooldown_s=9.0), candidate("b", cooldown_s=4.0)])
    assert isinstance(found, Cooldown)
    assert (found.plan.provider, found.after_s) == ("b", 4.0)


def test_nobody_waits_for_a_provider_that_only_the_owner_can_mend() -> None:
    spent = candidate("spent", cooldown_s=9.0, needs_operator=True)
    found = go([spent, candidate("busy", cooldown_s=30.0)])
    assert isinstance(found, Cooldown)
    assert found.plan.provider == "busy"
    alone = go([spent], choice="spent")
    assert isinstance(alone, Exhausted)
    assert alone.problem == Problem(Reason.PROVIDERS_FAILED, {"provider": "spent"})


def test_the_users_choice_is_the_only_candidate() -> None:
    assert chosen(go([candidate("a"), candidate("b")], choice="b")) == "b"
    resting = go([candidate("a"), candidate("b", cooldown_s=3.0)], choice="b")
    assert isinstance(resting, Cooldown)
    assert resting.after_s == 3.0


def test_a_chosen_provider_that_failed_is_named_in_the_reason() -> None:
    found = go([candidate("a"), candidate("b")], [attempt("b", AttemptState.FAILED)], choice="b")
    assert found == Exhausted(Problem(Reason.PROVIDERS_FAILED, {"provider": "b"}))


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


def test_who_was_just_out_of_reach_is_tried_again_after_a_pause_although_others_are_ready() -> None:
    both = [candidate("a"), candidate("b")]
    wait = go(both, in_vain("a", 1))
    assert isinstance(wait, Retry)
    assert wait.plan.provider == "a"
    assert 1 < wait.after_s < 3
    assert chosen(go(both, in_vain("a", 1), after_s=wait.after_s)) == "a"


def test_after_three_tries_in_vain_another_that_is_ready_takes_over_at_once() -> None:
    both = [candidate("a"), candidate("b")]
    assert chosen(go(both, in_vain("a", 3))) == "b"
    assert chosen(go(both, in_vain("a", 3), after_s=600)) == "b"


def test_the_last_one_left_is_tried_again_after_ever_longer_pauses() -> None:
    others = [candidate("refuses"), candidate("rests", cooldown_s=50.0)]
    refused = [attempt("refuses", AttemptState.REFUSED)]
    pauses = []
    for tries in range(1, 12):
        found = go([*others, candidate("a")], [*refused, *in_vain("a", tries)])
        assert isinstance(found, Retry)
        pauses.append(found.after_s)
    assert all(later > 1.1 * sooner for sooner, later in pairwise(pauses[:4]))
    assert max(pauses) < 40
    assert chosen(go([*others, candidate("a")], [*refused, *in_vain("a", 11)], after_s=40)) == "a"


def test_a_provider_that_rests_is_waited_for_by_its_rest_whatever_the_own_pause() -> None:
    found = go([candidate("a", cooldown_s=50.0)], in_vain("a", 3))
    assert isinstance(found, Cooldown)
    assert found.after_s == 50.0


def test_past_the_deadline_nobody_is_waited_for_but_who_is_ready_gets_the_job() -> None:
    vain = in_vain("a", 1)
    assert isinstance(go([candidate("a")], vain, patience_s=-1), Exhausted)
    assert isinstance(go([candidate("a", cooldown_s=3.0)], patience_s=-1), Exhausted)
    assert chosen(go([candidate("a"), candidate("b")], vain, patience_s=-1)) == "b"


def test_jobs_that_were_out_of_luck_together_come_back_apart() -> None:
    waits = [go([candidate("a")], in_vain("a", 2, job=str(number))) for number in range(20)]
    pauses = {wait.after_s for wait in waits if isinstance(wait, Retry)}
    assert len(pauses) == 20


def test_a_clock_that_was_set_back_makes_no_pause_longer() -> None:
    assert chosen(go([candidate("a")], in_vain("a", 3), after_s=-86400)) == "a"


def test_what_the_embedded_engine_refuses_it_is_not_asked_again() -> None:
    refused = [attempt("local", AttemptState.REFUSED)]
    assert isinstance(go([candidate("local", resubmittable=True)], refused), Exhausted)


def test_a_busy_provider_is_asked_again_however_often_it_was_busy() -> None:
    busy = [
        replace(attempt("a", AttemptState.NOT_SENT, number), error=AttemptError.BUSY)
        for number in range(1, 9)
    ]
    assert chosen(go([candidate("a")], busy)) == "a"


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
