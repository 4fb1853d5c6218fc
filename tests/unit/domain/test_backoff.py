"""Backoff: the growth, cap and jitter of pauses."""

import pytest

from bot.domain.backoff import JITTER, REMIND_EVERY_S, Reminders, backoff_s


def test_a_pause_doubles_from_the_first_up_to_the_longest() -> None:
    pauses = [backoff_s(tries, key="k7f2q", first_s=1.0, max_s=30.0) for tries in range(1, 8)]
    for pause, usual in zip(pauses, (1, 2, 4, 8, 16, 30, 30), strict=True):
        assert (1 - JITTER) * usual <= pause <= (1 + JITTER) * usual


@pytest.mark.parametrize("tries", [1_100, 10**6])
def test_any_number_of_failures_has_a_pause(tries: int) -> None:
    assert backoff_s(tries, key="k7f2q", max_s=60.0) <= 60.0 * (1 + JITTER)


def test_the_same_failure_pauses_equally_long_whenever_it_is_computed() -> None:
    assert backoff_s(3, key="k7f2q") == backoff_s(3, key="k7f2q")


def test_jobs_that_fail_together_come_back_apart() -> None:
    assert len({backoff_s(3, key=f"job{number}") for number in range(20)}) == 20


def test_a_condition_is_due_once_and_again_after_a_minute() -> None:
    reminders = Reminders()
    times = [0.0, 1.0, REMIND_EVERY_S - 1, REMIND_EVERY_S, REMIND_EVERY_S + 1]
    assert [reminders.is_due("locked", now) for now in times] == [True, False, False, True, False]


def test_each_condition_has_a_time_of_its_own() -> None:
    reminders = Reminders()
    assert reminders.is_due("locked", 0.0)
    assert reminders.is_due("full", 30.0)
    assert not reminders.is_due("full", REMIND_EVERY_S)
    assert reminders.is_due("locked", REMIND_EVERY_S)
