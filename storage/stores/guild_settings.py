"""Server rules, and blocks of users in one server or everywhere."""

import json
import logging
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from bot.domain.clock import Clock
from bot.domain.guilds import Block, DeliveryMode, GuildRules
from bot.domain.job import UserId
from bot.domain.recipes import AudioFormat, Recipe
from storage.database.protocols import Connection, Database, Row
from storage.stores.job_rows import Values, seconds
from storage.stores.lock_names import rules_in
from storage.stores.pseudonyms import lasting_pseudonym

log = logging.getLogger(__name__)

Word = TypeVar("Word", bound=StrEnum)

_EVERYWHERE = 0

RULES = """
SELECT channel_ids, recipe, audio_format, delivery, is_private
FROM servers
WHERE guild_id = :guild_id
"""
_SET_RULES = """
INSERT INTO servers
    (guild_id, channel_ids, recipe, audio_format, delivery, is_private, set_by, set_at)
VALUES
    (:guild_id, :channel_ids, :recipe, :audio_format, :delivery, :is_private, :set_by, :set_at)
ON CONFLICT (guild_id) DO UPDATE SET
    channel_ids = excluded.channel_ids, recipe = excluded.recipe,
    audio_format = excluded.audio_format, delivery = excluded.delivery,
    is_private = excluded.is_private, set_by = excluded.set_by, set_at = excluded.set_at
"""
_BLOCK = """
INSERT INTO blocks (user_id, guild_id, set_by, set_at)
VALUES (:user_id, :guild_id, :set_by, :set_at)
ON CONFLICT (user_id, guild_id) DO NOTHING
"""
_UNBLOCK = "DELETE FROM blocks WHERE user_id = ? AND guild_id = ?"
BLOCKS = """
SELECT min(guild_id) AS guild_id
FROM blocks
WHERE user_id = :user_id AND guild_id IN (:everywhere, :scope)
"""


class GuildStore:
    """Reads and writes rules and blocks. It does not check who may set them."""

    def __init__(self, *, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def rules(self, guild_id: int) -> GuildRules:
        """Return the server's rules. The default rules restrict nothing."""
        rows = await self._db.read(RULES, {"guild_id": guild_id})
        return rules_of(rows[0]) if rows else GuildRules()

    async def change_rules(
        self, guild_id: int, change: Callable[[GuildRules], GuildRules], by: UserId
    ) -> GuildRules:
        """Replace the server's rules with `change(rules)`, and return the new rules.

        Reading and writing share one transaction, so no concurrent change is lost.
        """
        alias = await lasting_pseudonym(self._db, by)

        async def work(conn: Connection) -> GuildRules:
            rows = [*await conn.execute_fetchall(RULES, {"guild_id": guild_id})]
            before = rules_of(rows[0]) if rows else GuildRules()
            after = change(before)
            if after != before:
                values: Values = {
                    "guild_id": guild_id,
                    "channel_ids": json.dumps(sorted(after.channel_ids)),
                    "recipe": after.recipe,
                    "audio_format": after.audio_format,
                    "delivery": after.delivery,
                    "is_private": after.is_private,
                    "set_by": alias,
                    "set_at": seconds(self._clock.now()),
                }
                await conn.execute(_SET_RULES, values)
            return after

        return await self._db.write(work, locks=[rules_in(guild_id)])

    async def block(self, user_id: UserId, guild_id: int | None, by: UserId) -> bool:
        """Block the user in the server or everywhere. Return False if that block already exists."""
        values: Values = {
            "user_id": await lasting_pseudonym(self._db, user_id),
            "guild_id": _scope(guild_id),
            "set_by": await lasting_pseudonym(self._db, by),
            "set_at": seconds(self._clock.now()),
        }
        cursor = await self._db.write(lambda conn: conn.execute(_BLOCK, values))
        return cursor.rowcount == 1

    async def unblock(self, user_id: UserId, guild_id: int | None) -> bool:
        """Lift that block, and return whether there was one."""
        values = (await lasting_pseudonym(self._db, user_id), _scope(guild_id))
        cursor = await self._db.write(lambda conn: conn.execute(_UNBLOCK, values))
        return cursor.rowcount == 1

    async def block_of(self, user_id: UserId, guild_id: int | None) -> Block | None:
        """Return the widest block of the user that applies in the server or in DMs."""
        pseudonym = await lasting_pseudonym(self._db, user_id)
        [row] = await self._db.read(BLOCKS, {"user_id": pseudonym, **block_scopes(guild_id)})
        return block_in(row["guild_id"])


def block_scopes(guild_id: int | None) -> Values:
    """Return the parameters of the BLOCKS query other than the user."""
    return {"everywhere": _EVERYWHERE, "scope": _scope(guild_id)}


def block_in(scope: int | None) -> Block | None:
    """Return the block found by the BLOCKS query, if any."""
    if scope is None:
        return None
    return Block.EVERYWHERE if scope == _EVERYWHERE else Block.HERE


def _scope(guild_id: int | None) -> int:
    return _EVERYWHERE if guild_id is None else guild_id


def _known(words: type[Word], stored: str | None) -> Word | None:
    """Return the stored value as an enum member, or None if this version does not know it."""
    if stored is None or stored in set(words):
        return None if stored is None else words(stored)
    log.error("a server's rules name an unknown %s: %s", words.__name__, stored)
    return None


def rules_of(row: Row) -> GuildRules:
    """Build the rules from a row of the RULES query."""
    return GuildRules(
        channel_ids=frozenset(json.loads(row["channel_ids"])),
        recipe=_known(Recipe, row["recipe"]),
        audio_format=_known(AudioFormat, row["audio_format"]),
        delivery=_known(DeliveryMode, row["delivery"]),
        is_private=None if row["is_private"] is None else bool(row["is_private"]),
    )
