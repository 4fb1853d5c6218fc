"""Minutes of songs and credits."""

import pytest

from sandbox.vendors.account import Account


@pytest.mark.parametrize(
    ("duration_s", "minutes"),
    [(1, 1), (60, 1), (60.001, 2), (61, 2), (120, 2), (121, 3), (180, 3), (0.2, 1)],
)
def test_started_minutes_are_billed(duration_s: float, minutes: int) -> None:
    account = Account(credit_minutes=10)
    assert account.charge(duration_s)
    assert (account.credit_minutes, account.minutes_billed) == (10 - minutes, minutes)


def test_nothing_is_taken_where_the_credit_is_too_small() -> None:
    account = Account(credit_minutes=1)
    assert not account.charge(61)
    assert (account.credit_minutes, account.minutes_billed) == (1, 0)
