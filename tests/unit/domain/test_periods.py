"""The bounds and keys of periods."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.domain.periods import Period, PeriodKind, period_at


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[misc,arg-type] # a date's parts


NOON = utc(2026, 11, 20, 12)


@pytest.mark.parametrize(
    ("now", "kind", "start", "end"),
    [
        (NOON, PeriodKind.DAY, utc(2026, 11, 20), utc(2026, 11, 21)),
        (utc(2026, 11, 20), PeriodKind.DAY, utc(2026, 11, 20), utc(2026, 11, 21)),
        (utc(2026, 12, 31, 23, 59, 59), PeriodKind.DAY, utc(2026, 12, 31), utc(2027, 1, 1)),
        (NOON, PeriodKind.WEEK, utc(2026, 11, 16), utc(2026, 11, 23)),
        (utc(2026, 11, 16), PeriodKind.WEEK, utc(2026, 11, 16), utc(2026, 11, 23)),
        (utc(2026, 11, 22, 23), PeriodKind.WEEK, utc(2026, 11, 16), utc(2026, 11, 23)),
        (utc(2027, 1, 1), PeriodKind.WEEK, utc(2026, 12, 28), utc(2027, 1, 4)),
        (NOON, PeriodKind.MONTH, utc(2026, 11, 1), utc(2026, 12, 1)),
        (utc(2026, 12, 31), PeriodKind.MONTH, utc(2026, 12, 1), utc(2027, 1, 1)),
        (utc(2028, 2, 29, 5), PeriodKind.MONTH, utc(2028, 2, 1), utc(2028, 3, 1)),
    ],
)
def test_period_holds_now_from_its_start_to_its_end(
    now: datetime, kind: PeriodKind, start: datetime, end: datetime
):
    found = period_at(now, kind)

    assert (found.starts_at, found.ends_at) == (start, end)
    assert found.starts_at <= now < found.ends_at
    assert period_at(found.ends_at, kind).starts_at == found.ends_at


def test_period_is_in_utc_wherever_the_time_comes_from():
    tokyo = timezone(timedelta(hours=9))

    assert period_at(datetime(2026, 11, 21, 8, tzinfo=tokyo), PeriodKind.DAY).starts_at == utc(
        2026, 11, 20
    )


def test_periods_that_begin_together_have_keys_of_their_own():
    monday_and_first = utc(2027, 2, 1, 12)

    keys = [period_at(monday_and_first, kind).key for kind in PeriodKind]

    assert keys == ["day:2027-02-01", "week:2027-02-01", "month:2027-02-01"]


def test_running_period_keeps_the_key_it_began_with():
    old = Period("2026-11-16", utc(2026, 11, 16), utc(2026, 11, 23))

    assert period_at(NOON, PeriodKind.WEEK, running=[old]) is old
    assert period_at(utc(2026, 11, 23), PeriodKind.WEEK, running=[old]).key == "week:2026-11-23"


def test_old_key_is_not_taken_for_a_period_of_another_length():
    day = Period("2026-11-16", utc(2026, 11, 16), utc(2026, 11, 17))

    found = period_at(utc(2026, 11, 16, 12), PeriodKind.WEEK, running=[day])

    assert found.key == "week:2026-11-16"
