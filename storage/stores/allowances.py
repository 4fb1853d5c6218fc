"""Allowances, which the owner gives users and roles, and limits, which server managers set."""

import json

from bot.domain.clock import Clock
from bot.domain.guilds import Subject
from bot.domain.job import Membership, UserId
from bot.domain.minutes import Terms
from storage.database.protocols import Connection, Database
from storage.stores.job_rows import Values, seconds
from storage.stores.pseudonyms import lasting_pseudonym

TERMS = """
SELECT
    coalesce(
        (SELECT minutes FROM allowances WHERE user_id = :user_id),
        (SELECT max(minutes) FROM role_allowances
         WHERE guild_id = :guild_id AND role_id IN (
             SELECT CAST(value AS bigint) FROM json_each(CAST(:role_ids AS text))))
    ) AS given,
    coalesce(
        (SELECT minutes FROM limits
         WHERE guild_id = :guild_id AND subject = 'user' AND subject_id = :user_id),
        (SELECT max(minutes) FROM limits
         WHERE guild_id = :guild_id AND subject = 'role'
           AND subject_id IN (
             SELECT CAST(value AS bigint) FROM json_each(CAST(:role_ids AS text))))
    ) AS most
"""
_GIVE_USER = """
INSERT INTO allowances (user_id, minutes, set_by, set_at)
VALUES (:subject_id, :minutes, :set_by, :set_at)
ON CONFLICT (user_id) DO UPDATE
SET minutes = excluded.minutes, set_by = excluded.set_by, set_at = excluded.set_at
"""
_GIVE_ROLE = """
INSERT INTO role_allowances (guild_id, role_id, minutes, set_by, set_at)
VALUES (:guild_id, :subject_id, :minutes, :set_by, :set_at)
ON CONFLICT (guild_id, role_id) DO UPDATE
SET minutes = excluded.minutes, set_by = excluded.set_by, set_at = excluded.set_at
"""
_LIMIT = """
INSERT INTO limits (guild_id, subject, subject_id, minutes, set_by, set_at)
VALUES (:guild_id, :subject, :subject_id, :minutes, :set_by, :set_at)
ON CONFLICT (guild_id, subject, subject_id) DO UPDATE
SET minutes = excluded.minutes, set_by = excluded.set_by, set_at = excluded.set_at
"""
_FORGET_USER = "DELETE FROM allowances WHERE user_id = :subject_id"
_FORGET_ROLE = "DELETE FROM role_allowances WHERE guild_id = :guild_id AND role_id = :subject_id"
_FORGET_LIMIT = """
DELETE FROM limits
WHERE guild_id = :guild_id AND subject = :subject AND subject_id = :subject_id
"""


class Allowances:
    """Reads and writes allowances and limits. It does not check who may set them."""

    def __init__(self, *, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def terms_of(self, user_id: UserId | None, membership: Membership | None) -> Terms:
        """Return the user's allowance and limit in that server. User values override roles'."""
        values: Values = {
            "user_id": None if user_id is None else await lasting_pseudonym(self._db, user_id),
            "guild_id": membership.guild_id if membership else None,
            "role_ids": json.dumps(membership.role_ids if membership else ()),
        }
        [row] = await self._db.read(TERMS, values)
        return Terms(given=row["given"], limit=row["most"])

    async def give(self, subject: Subject, minutes: int | None, by: UserId) -> None:
        """Set the subject's allowance, or remove it with None.

        A user's allowance counts everywhere. The subject's limit in that server is lifted.
        """
        put = _GIVE_USER if subject.kind == "user" else _GIVE_ROLE
        forget = _FORGET_USER if subject.kind == "user" else _FORGET_ROLE
        values = await self._values(subject, minutes, by)

        async def work(conn: Connection) -> None:
            await conn.execute(forget if minutes is None else put, values)
            await conn.execute(_FORGET_LIMIT, values)

        await self._db.write(work)

    async def limit(self, subject: Subject, minutes: int | None, by: UserId) -> None:
        """Set the subject's limit in its server, or lift it with None."""
        values = await self._values(subject, minutes, by)
        statement = _FORGET_LIMIT if minutes is None else _LIMIT
        await self._db.write(lambda conn: conn.execute(statement, values))

    async def _values(self, subject: Subject, minutes: int | None, by: UserId) -> Values:
        is_user = subject.kind == "user"
        return {
            "guild_id": subject.guild_id,
            "subject": subject.kind,
            "subject_id": await lasting_pseudonym(self._db, UserId(subject.id))
            if is_user
            else subject.id,
            "minutes": minutes,
            "set_by": await lasting_pseudonym(self._db, by),
            "set_at": seconds(self._clock.now()),
        }
