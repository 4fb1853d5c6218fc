"""The start and length of a provider's cooldown."""

import logging

import pytest

from bot.domain.attempt import AttemptError
from bot.domain.errors import (
    MAX_RETRY_AFTER_S,
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderQuotaSpent,
    ProviderRefused,
    SubmitUncertain,
)
from bot.scheduling.circuit_breaker import CircuitBreaker, Operation
from tests.support.fakes import FakeClock

SUBMIT, POLL, TASK, FETCH = Operation


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    return CircuitBreaker(clock=clock)


@pytest.mark.parametrize("error", [ProviderAuth(), ProviderQuotaSpent()])
def test_what_only_the_operator_can_mend_rests_at_once(
    breaker: CircuitBreaker, error: ProviderError
) -> None:
    breaker.record_failure("a", SUBMIT, error)
    assert breaker.cooldown_s("a") == 600
    assert breaker.cause("a") == AttemptError.of(error)
    assert breaker.cooldown_s("b") == 0


def test_only_the_operator_ends_a_rest_for_a_wrong_key_or_spent_credit(
    breaker: CircuitBreaker,
) -> None:
    for name, error in {
        "a": ProviderAuth(),
        "b": ProviderQuotaSpent(),
        "c": ProviderBusy(),
    }.items():
        breaker.record_failure(name, SUBMIT, error)
    assert [breaker.needs_operator(name) for name in "abcd"] == [True, True, False, False]


def test_retry_after_is_honoured(breaker: CircuitBreaker, clock: FakeClock) -> None:
    breaker.record_failure("a", SUBMIT, ProviderBusy(retry_after_s=7))
    assert breaker.cooldown_s("a") == 7
    clock.move(seconds=7)
    assert breaker.cooldown_s("a") == 0
    assert breaker.cause("a") is None


def test_a_provider_that_asks_for_years_is_asked_again_after_a_while(
    breaker: CircuitBreaker,
) -> None:
    breaker.record_failure("a", SUBMIT, ProviderBusy(retry_after_s=999_999_999))
    assert breaker.cooldown_s("a") == MAX_RETRY_AFTER_S == 15 * 60


def test_the_later_end_of_a_rest_keeps_its_own_cause(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    breaker.record_failure("a", SUBMIT, ProviderQuotaSpent())
    breaker.record_failure("a", POLL, ProviderBusy(retry_after_s=7))
    assert (breaker.cooldown_s("a"), breaker.cause("a")) == (600, AttemptError.QUOTA_SPENT)
    assert breaker.needs_operator("a")
    clock.move(seconds=599)
    breaker.record_failure("a", POLL, ProviderBusy(retry_after_s=7))
    assert (breaker.cooldown_s("a"), breaker.cause("a")) == (7, AttemptError.BUSY)


def test_four_failures_in_a_minute_do_not_rest_but_the_fifth_does(breaker: CircuitBreaker) -> None:
    for _ in range(4):
        breaker.record_failure("a", SUBMIT, ProviderDown())
    assert breaker.cooldown_s("a") == 0
    breaker.record_failure("a", SUBMIT, ProviderDown())
    assert breaker.cooldown_s("a") == 60


def test_half_of_the_calls_may_fail(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        breaker.record_success("a", SUBMIT)
        breaker.record_failure("a", SUBMIT, ProviderDown())
    assert breaker.cooldown_s("a") == 0


@pytest.mark.parametrize("failing", [SUBMIT, TASK, FETCH])
def test_polls_that_are_answered_do_not_hide_what_fails(
    breaker: CircuitBreaker, failing: Operation
) -> None:
    for _ in range(100):
        breaker.record_success("a", POLL)
    for _ in range(5):
        breaker.record_failure("a", failing, ProviderDown())
    assert breaker.cooldown_s("a") > 0


def test_a_provider_whose_every_task_fails_rests(breaker: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(3):
        assert breaker.cooldown_s("a") == 0
        breaker.record_success("a", SUBMIT)
        breaker.record_failed_task("a", AttemptError.FAILED)
        clock.move(minutes=5)
    assert breaker.cause("a") is None, "it rested for five minutes"
    breaker.record_failed_task("a", AttemptError.FAILED)
    assert (breaker.cooldown_s("a"), breaker.cause("a")) == (300, AttemptError.FAILED)


def test_a_task_that_fails_now_and_then_is_no_reason_to_rest(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    for number in range(30):
        if number % 3:
            breaker.record_success("a", TASK)
        else:
            breaker.record_failed_task("a", AttemptError.FAILED)
        clock.move(minutes=1)
    assert breaker.cooldown_s("a") == 0


def test_failures_of_long_ago_are_forgotten(breaker: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(4):
        breaker.record_failure("a", SUBMIT, ProviderDown())
    clock.move(seconds=61)
    breaker.record_failure("a", SUBMIT, ProviderDown())
    assert breaker.cooldown_s("a") == 0


def test_refusals_of_a_file_do_not_count(breaker: CircuitBreaker) -> None:
    for _ in range(20):
        breaker.record_failure("a", SUBMIT, ProviderRefused())
    assert breaker.cooldown_s("a") == 0


def test_submits_that_may_be_billed_rest_a_provider_however_rare_they_are(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    for _ in range(3):
        assert breaker.cooldown_s("a") == 0
        clock.move(minutes=10)
        breaker.record_failure("a", SUBMIT, SubmitUncertain())
    assert (breaker.cooldown_s("a"), breaker.cause("a")) == (300, AttemptError.UNCERTAIN)


def test_a_refused_key_is_one_line_with_its_setting_until_it_is_accepted(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    breaker = CircuitBreaker(clock=clock, key_settings={"a": "A_API_KEY"})

    def lines() -> int:
        errors = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert all("A_API_KEY" in each.getMessage() for each in errors)
        return len(errors)

    for operation in (POLL, SUBMIT, POLL):
        breaker.record_failure("a", operation, ProviderAuth())
        clock.move(minutes=20)
    assert lines() == 1
    breaker.record_success("a", POLL)
    breaker.record_failure("a", SUBMIT, ProviderAuth())
    assert lines() == 2
