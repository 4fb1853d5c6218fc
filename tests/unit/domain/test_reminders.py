"""A condition that lasts is logged at once, then at most once a minute."""

from bot.domain.reminders import REMIND_EVERY_S, Reminders


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
