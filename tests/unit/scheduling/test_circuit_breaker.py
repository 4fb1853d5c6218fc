"""When a provider rests, and for how long."""

import pytest

from bot.domain.attempt import AttemptError
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderQuotaSpent,
    ProviderRefused,
)
from bot.scheduling.circuit_breaker import CircuitBreaker
from tests.support.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def health(clock: FakeClock) -> CircuitBreaker:
    return CircuitBreaker(clock=clock)


@pytest.mark.parametrize("error", [ProviderAuth(), ProviderQuotaSpent()])
def test_what_only_the_owner_can_mend_rests_at_once(
    health: CircuitBreaker, error: ProviderError
) -> None:
    health.record_failure("a", error)
    assert health.cooldown_s("a") == 600
    assert health.cause("a") == AttemptError.of(error)
    assert health.cooldown_s("b") == 0


def test_only_the_owner_ends_a_rest_for_a_wrong_key_or_used_up_credit(
    health: CircuitBreaker,
) -> None:
    for name, error in {
        "a": ProviderAuth(),
        "b": ProviderQuotaSpent(),
        "c": ProviderBusy(),
    }.items():
        health.record_failure(name, error)
    assert [health.needs_operator(name) for name in "abcd"] == [True, True, False, False]


def test_retry_after_is_honoured(health: CircuitBreaker, clock: FakeClock) -> None:
    health.record_failure("a", ProviderBusy(retry_after_s=7))
    assert health.cooldown_s("a") == 7
    clock.move(seconds=7)
    assert health.cooldown_s("a") == 0
    assert health.cause("a") is None


def test_four_failures_in_a_minute_do_not_rest_but_the_fifth_does(health: CircuitBreaker) -> None:
    for _ in range(4):
        health.record_failure("a", ProviderDown())
    assert health.cooldown_s("a") == 0
    health.record_failure("a", ProviderDown())
    assert health.cooldown_s("a") == 60


def test_half_of_the_calls_may_fail(health: CircuitBreaker) -> None:
    for _ in range(5):
        health.record_success("a")
        health.record_failure("a", ProviderDown())
    assert health.cooldown_s("a") == 0


def test_failures_of_long_ago_are_forgotten(health: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(4):
        health.record_failure("a", ProviderDown())
    clock.move(seconds=61)
    health.record_failure("a", ProviderDown())
    assert health.cooldown_s("a") == 0


def test_refusals_of_a_file_do_not_count(health: CircuitBreaker) -> None:
    for _ in range(20):
        health.record_failure("a", ProviderRefused())
    assert health.cooldown_s("a") == 0
