"""Keyed hashes that replace user ids in rows that outlive the deletion of a user's data.

Each period has its own key, which is deleted a week after the period ends. From then on accounts
cannot be traced to users. Decisions about a user, such as a block, stand until they are lifted, so
they use a lasting pseudonym.
"""

import asyncio
import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, NewType

from bot.domain.job import UserId
from bot.domain.periods import Period
from storage.database.protocols import Connection, Database
from storage.stores.job_rows import seconds, time_of
from storage.stores.meta import Meta

Pseudonym = NewType("Pseudonym", int)
"""63 bits, to fit into id columns; never zero, and never a Discord id."""

NOBODY = Pseudonym(0)
KEY_BYTES = 32
LASTING = "alias key"
KEYS_OUTLAST = timedelta(days=7)
"""How long keys are kept after their period. The margin allows for a clock that is days off."""

_KEY = "SELECT key FROM account_keys WHERE period = ?"
_CURRENT_KEY = "SELECT key FROM account_keys WHERE period = ? AND ends_at >= ?"
_DRAW = """
INSERT INTO account_keys (period, key, ends_at) VALUES (?, ?, ?)
ON CONFLICT (period) DO UPDATE SET ends_at = CASE
    WHEN account_keys.ends_at < excluded.ends_at THEN excluded.ends_at
    ELSE account_keys.ends_at
END
RETURNING key
"""
_BOTH_KEYS = """
SELECT
    (SELECT value FROM meta WHERE key = :lasting) AS lasting,
    (SELECT key FROM account_keys WHERE period = :period) AS account
"""
_WITHOUT_KIND = "SELECT period, ends_at FROM account_keys WHERE instr(period, ':') = 0"
_DROP = "DELETE FROM account_keys WHERE ends_at < ?"


async def account_pseudonym(conn: Connection, user_id: UserId, period: Period) -> Pseudonym:
    """Return the user's pseudonym in a period, inside the caller's transaction.

    The period's key is generated on first use.
    """
    return _pseudonym(await _account_key(conn, period), user_id)


async def lasting_pseudonym(db: Database, user_id: UserId) -> Pseudonym:
    """Return the user's pseudonym in decisions about or by them."""
    return _pseudonym(await _lasting_key(db), user_id)


async def _lasting_key(db: Database) -> bytes:
    return await Meta(db=db).secret(LASTING, KEY_BYTES)


async def _account_key(conn: Connection, period: Period) -> bytes:
    ends_at = seconds(period.ends_at)
    # Read first, because generating a key locks a row that all transactions of the period read.
    known = [*await conn.execute_fetchall(_CURRENT_KEY, (period.key, ends_at))]
    if not known:
        drawn = secrets.token_bytes(KEY_BYTES)
        known = [*await conn.execute_fetchall(_DRAW, (period.key, drawn, ends_at))]
    return bytes(known[0]["key"])


class UserNames(NamedTuple):
    """A user's pseudonyms, in decisions about them and in a period's accounts."""

    lasting: Pseudonym
    account: Pseudonym


class _Keys(NamedTuple):
    lasting: bytes
    period_key: str
    account: bytes


class Pseudonyms:
    """Reads pseudonyms and deletes their keys.

    A key never changes until it is deleted, so those in use are kept in memory.
    """

    def __init__(self, *, db: Database) -> None:
        self._db = db
        self._keys: _Keys | None = None
        self._finding = asyncio.Lock()

    async def of(self, user_id: UserId | None, period_key: str | None) -> Pseudonym:
        """Return the user's pseudonym in a period, or NOBODY if the period has no key."""
        if user_id is None or period_key is None:
            return NOBODY
        found = await self._db.read(_KEY, (period_key,))
        return _pseudonym(found[0]["key"], user_id) if found else NOBODY

    async def names(self, user_id: UserId, period: Period) -> UserNames:
        """Return both of the user's pseudonyms. Their keys are generated on first use."""
        async with self._finding:  # a burst of requests reads the keys only once
            if self._keys is None or self._keys.period_key != period.key:
                self._keys = await self._found(period)
            keys = self._keys
        return UserNames(_pseudonym(keys.lasting, user_id), _pseudonym(keys.account, user_id))

    async def _found(self, period: Period) -> _Keys:
        [row] = await self._db.read(_BOTH_KEYS, {"lasting": LASTING, "period": period.key})
        lasting, account = row["lasting"], row["account"]
        return _Keys(
            lasting=bytes.fromhex(lasting) if lasting else await _lasting_key(self._db),
            period_key=period.key,
            account=account or await self._db.write(lambda conn: _account_key(conn, period)),
        )

    async def periods_without_kind(self) -> tuple[Period, ...]:
        """Return the periods whose keys have the old form, which is only the first day."""
        return tuple(
            Period(
                row["period"],
                datetime.strptime(row["period"], "%Y-%m-%d").replace(tzinfo=UTC),
                time_of(int(row["ends_at"])),
            )
            for row in await self._db.read(_WITHOUT_KIND)
        )

    async def drop_keys(self, now: datetime) -> None:
        """Delete the keys of periods that ended KEYS_OUTLAST before `now`."""
        self._keys = None
        values = (seconds(now - KEYS_OUTLAST),)
        await self._db.write(lambda conn: conn.execute(_DROP, values))


def former_id(pseudonym: Pseudonym) -> int:
    """Return the number that replaces the user's id in jobs forgotten in the period."""
    return -pseudonym


def _pseudonym(key: bytes, user_id: UserId) -> Pseudonym:
    mac = hmac.digest(key, str(user_id).encode(), hashlib.sha256)
    return Pseudonym((int.from_bytes(mac[:8]) >> 1) | 1 << 62)
