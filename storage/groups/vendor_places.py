"""Places at vendors: they limit how many attempts of all groups a vendor works on at a time.

A place belongs to an attempt, and stores the server of its job. Groups wait in line; when a place
becomes free, only the first in line is told.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.domain.errors import NoPlaceFree
from bot.domain.job import JobId
from storage.database.protocols import Connection, Database
from storage.groups.shard_group import OWN_ROWS, ShardGroup
from storage.groups.signals import Signal, SignalKind, notify

FORGOTTEN_AFTER_S = 10
"""After this time without asking, a group is left out of the line, as its bot may be gone."""

_NOW_MS = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
_ASK = f"""
INSERT INTO vendor_waits (provider, waiting, since_ms, asked_at)
VALUES (:provider, :waiting, {_NOW_MS}, {_NOW_MS} / 1000)
ON CONFLICT (provider, waiting) DO UPDATE SET asked_at = excluded.asked_at
"""  # noqa: S608 - made of constants
_FIRST = f"""
SELECT waiting FROM vendor_waits
WHERE provider = :provider AND asked_at >= {_NOW_MS} / 1000 - {FORGOTTEN_AFTER_S}
ORDER BY since_ms, waiting
LIMIT 1
"""  # noqa: S608 - made of constants
_TAKEN = """
SELECT count(*) AS number, coalesce(bool_or(job_id = :job_id), FALSE) AS is_ours
FROM vendor_places WHERE provider = :provider
"""
_TAKE = """
INSERT INTO vendor_places (provider, job_id, guild_id, taken_at)
VALUES (:provider, :job_id, CAST(:guild_id AS bigint), :at)
"""
_WITHDRAW = "DELETE FROM vendor_waits WHERE provider = :provider AND waiting = :waiting"
_LEAVE = "DELETE FROM vendor_places WHERE provider = :provider AND job_id = :job_id"
_OWN = f"""
SELECT provider, job_id, EXISTS (
    SELECT 1 FROM attempts
    WHERE attempts.job_id = vendor_places.job_id AND attempts.provider = vendor_places.provider
        AND attempts.state IN ('sending', 'accepted')
) AS is_open
FROM vendor_places WHERE {OWN_ROWS}
"""  # noqa: S608 - made of constants
# An attempt that was being sent when its process ended is never sent again, and keeps no place.
_CLEAR = f"""
DELETE FROM vendor_places
WHERE {OWN_ROWS} AND NOT EXISTS (
    SELECT 1 FROM attempts
    WHERE attempts.job_id = vendor_places.job_id AND attempts.provider = vendor_places.provider
        AND (
            attempts.state = 'accepted'
            OR attempts.state = 'abandoned' AND attempts.ref IS NOT NULL
                AND attempts.submitted_at >= :since
        )
)
RETURNING provider
"""  # noqa: S608 - made of constants
_RESTORE = f"""
INSERT INTO vendor_places (provider, job_id, guild_id, taken_at)
SELECT attempts.provider, jobs.id, jobs.guild_id, attempts.submitted_at
FROM attempts JOIN jobs ON jobs.id = attempts.job_id
WHERE attempts.state = 'accepted' AND NOT jobs.is_final AND {OWN_ROWS}
    AND attempts.provider IN (SELECT value FROM json_each(CAST(:providers AS text)))
ON CONFLICT DO NOTHING
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place to take for a group's job, at a provider with `capacity` places."""

    provider: str
    capacity: int
    group: ShardGroup


def places_at(provider: str) -> str:
    """Return the lock for a provider's places."""
    return f"places {provider}"


async def take(
    conn: Connection, place: Place, *, job_id: JobId, guild_id: int | None, at: int
) -> None:
    """Take a place in the transaction that stores the attempt, under `places_at`.

    Raises NoPlaceFree if there is none, or another group is first in line.
    """
    provider, own = place.provider, str(place.group)
    values = {"provider": provider, "job_id": job_id, "guild_id": guild_id, "at": at}
    [taken] = await conn.execute_fetchall(_TAKEN, {"provider": provider, "job_id": job_id})
    if taken["is_ours"]:
        return
    if taken["number"] >= place.capacity or await _first(conn, provider) not in (None, own):
        raise NoPlaceFree(provider)
    await conn.execute(_TAKE, values)
    # The group's next job goes to the end of the line.
    await conn.execute(_WITHDRAW, {"provider": provider, "waiting": own})
    if taken["number"] + 1 < place.capacity:
        await _tell_first(conn, provider)


async def _first(conn: Connection, provider: str) -> str | None:
    rows = list(await conn.execute_fetchall(_FIRST, {"provider": provider}))
    return rows[0]["waiting"] if rows else None


async def _tell_first(conn: Connection, provider: str) -> None:
    if (group := await _first(conn, provider)) is not None:
        await notify(conn, Signal(SignalKind.PLACE, provider, group))


class VendorPlaces:
    """The places of a group's jobs, on a PostgreSQL database."""

    def __init__(self, *, db: Database, shards: ShardGroup) -> None:
        self._db = db
        self._shards = shards

    async def ask(self, provider: str, *, capacity: int) -> bool:
        """Join the line for a place or stay in it; return whether the group may take one now.

        Ask again within FORGOTTEN_AFTER_S.
        """
        own = str(self._shards)

        async def work(conn: Connection) -> bool:
            await conn.execute(_ASK, {"provider": provider, "waiting": own})
            [taken] = await conn.execute_fetchall(_TAKEN, {"provider": provider, "job_id": ""})
            return taken["number"] < capacity and await _first(conn, provider) == own

        return await self._db.write(work, locks=[places_at(provider)])

    async def withdraw(self, provider: str) -> None:
        """Leave the line, and tell the first of those who wait."""

        async def work(conn: Connection) -> None:
            await conn.execute(_WITHDRAW, {"provider": provider, "waiting": str(self._shards)})
            await _tell_first(conn, provider)

        await self._db.write(work, locks=[places_at(provider)])

    async def leave(self, provider: str, job_id: JobId) -> None:
        """Free a job's place, and tell the first in line. Safe to repeat."""

        async def work(conn: Connection) -> None:
            left = await conn.execute(_LEAVE, {"provider": provider, "job_id": job_id})
            if left.rowcount:
                await _tell_first(conn, provider)

        await self._db.write(work, locks=[places_at(provider)])

    async def restore(self, providers: Iterable[str], *, since: datetime) -> None:
        """Make the group's places match its attempts, after another process was the group's bot.

        Accepted attempts that were abandoned keep their places if submitted at or after `since`.
        """
        own = self._shards.parameters
        names = sorted(providers)

        async def work(conn: Connection) -> None:
            values = {"since": int(since.timestamp()), **own}
            freed = await conn.execute_fetchall(_CLEAR, values)
            await conn.execute(_RESTORE, {"providers": json.dumps(names), **own})
            for provider in sorted({row["provider"] for row in freed}):
                await _tell_first(conn, provider)

        await self._db.write(work, locks=map(places_at, names))

    async def left_behind(self, occupied: Collection[tuple[str, JobId]]) -> list[tuple[str, JobId]]:
        """Return the group's places that are neither occupied nor held by an open attempt."""
        rows = await self._db.read(_OWN, self._shards.parameters)
        found = [(row["provider"], JobId(row["job_id"])) for row in rows if not row["is_open"]]
        return [each for each in found if each not in occupied]
