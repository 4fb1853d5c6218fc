"""Periods of allowances: days, weeks and months in UTC, and their keys in the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class PeriodKind(StrEnum):
    """The length of a period, which starts and ends in UTC."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time with its own allowance."""

    key: str
    """The kind and the first day, like `day:2026-11-20`; keys of old periods are only the day."""
    starts_at: datetime
    ends_at: datetime


def period_at(now: datetime, kind: PeriodKind, *, running: Iterable[Period] = ()) -> Period:
    """Return the period that includes `now`: a day, a week from Monday, or a calendar month.

    If `running` has a period with the same start and end, that one is returned instead, because
    minutes are already booked under its old key.
    """
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match kind:
        case PeriodKind.DAY:
            start, end = day, day + timedelta(days=1)
        case PeriodKind.WEEK:
            start = day - timedelta(days=day.weekday())
            end = start + timedelta(days=7)
        case PeriodKind.MONTH:
            start = day.replace(day=1)
            end = (start + timedelta(days=32)).replace(day=1)
    period = Period(f"{kind}:{start:%Y-%m-%d}", start, end)
    return next((each for each in running if _lasts_as_long(each, period)), period)


def _lasts_as_long(one: Period, other: Period) -> bool:
    return (one.starts_at, one.ends_at) == (other.starts_at, other.ends_at)
