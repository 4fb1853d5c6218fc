"""Keyed hashes in place of user ids, for what outlives a wish to be forgotten.

Accounts are kept under a name that is good for one period: with the period's key, which is thrown
away when it is over, goes the last way to tell whose they were. Decisions about somebody, such as
a block, stand until they are lifted, so theirs is a name for good.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from sqlite3 import Row
from typing import NamedTuple, NewType

from aiosqlite import Connection

from bot.domain.job import UserId
from bot.domain.minutes import Period
from storage.database.connection import Database
from storage.stores.job_rows import seconds
from storage.stores.meta import Meta

Pseudonym = NewType("Pseudonym", int)
"""Of 63 bits, so that it stands where an id would; never zero, and no id of Discord's."""

NOBODY = Pseudonym(0)
KEY_BYTES = 32
LASTING = "alias key"

_KEY = "SELECT key FROM account_keys WHERE period = ?"
_DRAW = """
INSERT INTO account_keys (period, key, ends_at) VALUES (?, ?, ?)
ON CONFLICT (period) DO UPDATE SET ends_at = max(ends_at, excluded.ends_at)
RETURNING key
"""
_BOTH_KEYS = """
SELECT
    (SELECT value FROM meta WHERE key = :lasting) AS lasting,
    (SELECT key FROM account_keys WHERE period = :period) AS account
"""
_DROP = "DELETE FROM account_keys WHERE ends_at < ?"


async def account_pseudonym(conn: Connection, user_id: UserId, period: Period) -> Pseudonym:
    """Return the user's name in a period's accounts, inside the caller's transaction."""
    drawn = secrets.token_bytes(KEY_BYTES)
    row = (period.key, drawn, seconds(period.ends_at))
    return _in(await conn.execute_fetchall(_DRAW, row), user_id)


async def lasting_pseudonym(db: Database, user_id: UserId) -> Pseudonym:
    """Return the user's name in what others decided about them, or they about others."""
    return _pseudonym(await Meta(db=db).secret(LASTING, KEY_BYTES), user_id)


class UserNames(NamedTuple):
    """A user's names: in what was decided about them, and in a period's accounts."""

    lasting: Pseudonym
    account: Pseudonym


class Pseudonyms:
    """Names in accounts, for who only reads."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def of(self, user_id: UserId | None, period_key: str | None) -> Pseudonym:
        """Return the user's name in a period's accounts, or NOBODY where none has one yet."""
        if user_id is None or period_key is None:
            return NOBODY
        return _in(await self._db.read(_KEY, (period_key,)), user_id)

    async def names(self, user_id: UserId, period: Period) -> UserNames:
        """Return both of the user's names, each NOBODY where its key was not drawn yet."""
        values = {"lasting": LASTING, "period": period.key}
        [row] = await self._db.read(_BOTH_KEYS, values)
        lasting, account = row["lasting"], row["account"]
        return UserNames(
            lasting=NOBODY if lasting is None else _pseudonym(bytes.fromhex(lasting), user_id),
            account=NOBODY if account is None else _pseudonym(account, user_id),
        )

    async def drop_keys(self, before: datetime) -> None:
        """Throw away the keys of periods that were over by then."""
        await self._db.write(lambda conn: conn.execute(_DROP, (seconds(before),)))


def former_id(alias: Pseudonym) -> int:
    """Return what stands for the user's id in jobs that were forgotten in the alias's period."""
    return -alias


def _in(rows: Iterable[Row], user_id: UserId) -> Pseudonym:
    key = next((row["key"] for row in rows), None)
    return NOBODY if key is None else _pseudonym(key, user_id)


def _pseudonym(key: bytes, user_id: UserId) -> Pseudonym:
    mac = hmac.digest(key, str(user_id).encode(), hashlib.sha256)
    return Pseudonym((int.from_bytes(mac[:8]) >> 1) | 1 << 62)
