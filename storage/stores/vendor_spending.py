"""Minutes submitted to hosted providers, and the owner's caps on them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.attempt import AttemptError, AttemptState
from bot.domain.errors import SpendCapReached
from bot.domain.minutes import SpendCap
from storage.database.protocols import Connection, Database, Reader, Row
from storage.stores.job_rows import Values, seconds, time_of

_STATES = frozenset(AttemptState)

# One statement computes the sum for every cap. A user has few jobs, but a month has many attempts,
# so a user's cap is computed from the user's jobs, and any other from the attempts since its start.
_SUBMITTED = """
SELECT CASE WHEN json_extract(cap.value, '$.user_id') IS NULL
    THEN (
        SELECT coalesce(sum(cost_minutes), 0)
        FROM attempts
        WHERE cost_minutes > 0 AND may_have_cost
          AND submitted_at >= CAST(json_extract(cap.value, '$.since') AS bigint)
    )
    ELSE (
        SELECT coalesce(sum(attempts.cost_minutes), 0)
        FROM jobs
        JOIN attempts ON attempts.job_id = jobs.id
        WHERE jobs.user_id IN (
            CAST(json_extract(cap.value, '$.user_id') AS bigint),
            CAST(json_extract(cap.value, '$.former_id') AS bigint)
          )
          AND attempts.cost_minutes > 0 AND attempts.may_have_cost
          AND attempts.submitted_at >= CAST(json_extract(cap.value, '$.since') AS bigint)
    )
END AS minutes
FROM json_each(CAST(:caps AS text)) AS cap
ORDER BY cap.key
"""
_USAGE = """
SELECT provider, state, count(*) AS attempts, sum(cost_minutes) AS minutes
FROM attempts
WHERE submitted_at >= ?
GROUP BY provider, state
"""
_LATEST = """
SELECT provider, error, updated_at
FROM attempts
WHERE updated_at >= ?
ORDER BY updated_at, rowid
"""


@dataclass(slots=True)
class ProviderUsage:
    """Attempts and minutes sent to one provider since some time, by state."""

    attempts: dict[AttemptState, int] = field(default_factory=dict)
    minutes: dict[AttemptState, int] = field(default_factory=dict)

    @property
    def submitted(self) -> int:
        """Minutes that the provider may bill, with or without a result."""
        return sum(count for state, count in self.minutes.items() if state.may_have_cost)


@dataclass(frozen=True, slots=True)
class LatestAttempt:
    """A provider's latest attempt. `error` is None if it succeeded or is still running."""

    error: AttemptError | None
    at: datetime


class Spending:
    """Reads the minutes that providers may bill, with or without a result."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def submitted(self, caps: Sequence[SpendCap]) -> list[int]:
        """Return the minutes that count against each cap."""
        return [row["minutes"] for row in await self._db.read(_SUBMITTED, _counted(caps))]

    async def provider_usage(self, since: datetime) -> Mapping[str, ProviderUsage]:
        """Return what was submitted at or after `since`, by provider."""
        return _by_provider(await self._db.read(_USAGE, (seconds(since),)))


def provider_usage(reader: Reader, since: datetime) -> Mapping[str, ProviderUsage]:
    """Return what was submitted at or after `since`, by provider."""
    return _by_provider(reader.rows(_USAGE, (seconds(since),)))


def latest_attempts(reader: Reader, since: datetime) -> Mapping[str, LatestAttempt]:
    """Return each provider's most recently updated attempt at or after `since`."""
    rows = reader.rows(_LATEST, (seconds(since),))
    return {
        row["provider"]: LatestAttempt(_error_of(row), time_of(int(row["updated_at"])))
        for row in rows
    }


def _error_of(row: Row) -> AttemptError | None:
    return None if row["error"] is None else AttemptError(row["error"])


async def admit(conn: Connection, minutes: int, caps: Sequence[SpendCap]) -> None:
    """Raise SpendCapReached if a new attempt exceeds a cap. Runs in the caller's transaction."""
    if not caps:
        return
    rows = await conn.execute_fetchall(_SUBMITTED, _counted(caps))
    for cap, row in zip(caps, rows, strict=True):
        if row["minutes"] + minutes > cap.minutes:
            raise SpendCapReached(f"{minutes} min do not fit under {cap.minutes}")


def _counted(caps: Sequence[SpendCap]) -> Values:
    counted = [
        {"since": seconds(cap.since), "user_id": cap.user_id, "former_id": cap.former_id}
        for cap in caps
    ]
    return {"caps": json.dumps(counted)}


def _by_provider(rows: Iterable[Row]) -> Mapping[str, ProviderUsage]:
    found: dict[str, ProviderUsage] = {}
    for row in rows:
        if row["state"] not in _STATES:
            continue
        usage = found.setdefault(row["provider"], ProviderUsage())
        state = AttemptState(row["state"])
        usage.attempts[state] = row["attempts"]
        usage.minutes[state] = row["minutes"]
    return found
