"""Periods of allowances: days, weeks and months in UTC, and their keys in the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class PeriodKind(StrEnum):
    """How long an allowance lasts; always in UTC."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """One stretch of time with its own allowance."""

    key: str
    """Its kind and first day, like `day:2026-11-20`; for an old one, the day alone."""
    starts_at: datetime
    ends_at: datetime


def period_at(now: datetime, kind: PeriodKind, *, running: Iterable[Period] = ()) -> Period:
    """Return the period that holds `now`: a day, a week from Monday, or a calendar month.

    A period in `running` with the same start and end is returned instead: it began when keys did
    not name the kind yet, and its minutes are booked under that key.
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
