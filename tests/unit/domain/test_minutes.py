"""Periods, charges and allowances."""

from datetime import UTC, datetime

import pytest

from bot.domain.minutes import SAMPLE_RATE, Terms, Usage, minutes_of
from bot.domain.periods import PeriodKind, period_at


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[misc,arg-type] # a date's parts


NOON = utc(2026, 11, 20, 12)


@pytest.mark.parametrize(
    ("frames", "minutes"),
    [
        (1, 1),
        (60 * SAMPLE_RATE, 1),
        (60 * SAMPLE_RATE + 1, 2),
        (20 * 60 * SAMPLE_RATE, 20),
    ],
)
def test_charge_is_rounded_up_to_whole_minutes(frames: int, minutes: int):
    assert minutes_of(frames) == minutes


@pytest.mark.parametrize(
    ("terms", "allowance"),
    [
        (Terms(), 60),
        (Terms(given=90), 90),
        (Terms(given=0), 0),
        (Terms(limit=20), 20),
        (Terms(limit=200), 60),
        (Terms(given=90, limit=70), 70),
        (Terms(given=10, limit=70), 10),
    ],
)
def test_server_lowers_what_the_owner_allows_and_never_raises_it(terms: Terms, allowance: int):
    assert terms.allowance(60) == allowance


def test_what_is_left_is_never_below_zero():
    usage = Usage(allowance=5, granted=2, used=6, held=4, period=period_at(NOON, PeriodKind.DAY))

    assert (usage.total, usage.left) == (7, 0)
