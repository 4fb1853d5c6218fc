"""When a provider rests, and for how long."""

import pytest

from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderQuotaSpent,
    ProviderRefused,
)
from bot.scheduling.circuit_breaker import Health
from tests.support.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def health(clock: FakeClock) -> Health:
    return Health(clock=clock)


@pytest.mark.parametrize("error", [ProviderAuth(), ProviderQuotaSpent()])
def test_what_only_the_owner_can_mend_rests_at_once(health: Health, error: ProviderError) -> None:
    health.failed("a", error)
    assert health.rest_s("a") == 600
    assert health.cause("a") == type(error).__name__
    assert health.rest_s("b") == 0


def test_only_the_owner_ends_a_rest_for_a_wrong_key_or_used_up_credit(health: Health) -> None:
    for name, error in {
        "a": ProviderAuth(),
        "b": ProviderQuotaSpent(),
        "c": ProviderBusy(),
    }.items():
        health.failed(name, error)
    assert [health.needs_owner(name) for name in "abcd"] == [True, True, False, False]


def test_retry_after_is_honoured(health: Health, clock: FakeClock) -> None:
    health.failed("a", ProviderBusy(retry_after_s=7))
    assert health.rest_s("a") == 7
    clock.move(seconds=7)
    assert health.rest_s("a") == 0
    assert health.cause("a") is None


def test_four_failures_in_a_minute_do_not_rest_but_the_fifth_does(health: Health) -> None:
    for _ in range(4):
        health.failed("a", ProviderDown())
    assert health.rest_s("a") == 0
    health.failed("a", ProviderDown())
    assert health.rest_s("a") == 60


def test_half_of_the_calls_may_fail(health: Health) -> None:
    for _ in range(5):
        health.succeeded("a")
        health.failed("a", ProviderDown())
    assert health.rest_s("a") == 0


def test_failures_of_long_ago_are_forgotten(health: Health, clock: FakeClock) -> None:
    for _ in range(4):
        health.failed("a", ProviderDown())
    clock.move(seconds=61)
    health.failed("a", ProviderDown())
    assert health.rest_s("a") == 0


def test_refusals_of_a_file_do_not_count(health: Health) -> None:
    for _ in range(20):
        health.failed("a", ProviderRefused())
    assert health.rest_s("a") == 0
