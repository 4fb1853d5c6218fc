"""Servers' own rules, and who is blocked: in one server, or everywhere."""

import json
from sqlite3 import Row

from bot.domain.clock import Clock
from bot.domain.guilds import Block, DeliveryMode, GuildRules
from bot.domain.job import UserId
from bot.domain.recipes import AudioFormat, Recipe
from storage.database.connection import Database
from storage.stores.job_rows import Values, seconds
from storage.stores.pseudonyms import lasting_pseudonym

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
    """Reads and writes decisions; who may make them is for services to know."""

    def __init__(self, *, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def rules(self, guild_id: int) -> GuildRules:
        """Return the server's rules; those of one that set none leave everything open."""
        rows = await self._db.read(RULES, {"guild_id": guild_id})
        return rules_of(rows[0]) if rows else GuildRules()

    async def set_rules(self, guild_id: int, rules: GuildRules, by: UserId) -> None:
        """Put these in place of the server's rules."""
        values: Values = {
            "guild_id": guild_id,
            "channel_ids": json.dumps(sorted(rules.channel_ids)),
            "recipe": rules.recipe,
            "audio_format": rules.audio_format,
            "delivery": rules.delivery,
            "is_private": rules.is_private,
            "set_by": await lasting_pseudonym(self._db, by),
            "set_at": seconds(self._clock.now()),
        }
        await self._db.write(lambda conn: conn.execute(_SET_RULES, values))

    async def block(self, user_id: UserId, guild_id: int | None, by: UserId) -> bool:
        """Block the user in the server, or everywhere; return whether that is new."""
        values: Values = {
            "user_id": await lasting_pseudonym(self._db, user_id),
            "guild_id": _scope(guild_id),
            "set_by": await lasting_pseudonym(self._db, by),
            "set_at": seconds(self._clock.now()),
        }
        cursor = await self._db.write(lambda conn: conn.execute(_BLOCK, values))
        return cursor.rowcount == 1

    async def unblock(self, user_id: UserId, guild_id: int | None) -> bool:
        """Lift the block of that reach and return whether there was one."""
        values = (await lasting_pseudonym(self._db, user_id), _scope(guild_id))
        cursor = await self._db.write(lambda conn: conn.execute(_UNBLOCK, values))
        return cursor.rowcount == 1

    async def block_of(self, user_id: UserId, guild_id: int | None) -> Block | None:
        """Return the widest block that keeps the user out of the server, or out of DMs."""
        alias = await lasting_pseudonym(self._db, user_id)
        [row] = await self._db.read(BLOCKS, {"user_id": alias, **block_scopes(guild_id)})
        return block_in(row["guild_id"])


def block_scopes(guild_id: int | None) -> Values:
    """Return what the BLOCKS query asks for, beside the user."""
    return {"everywhere": _EVERYWHERE, "scope": _scope(guild_id)}


def block_in(scope: int | None) -> Block | None:
    """Return the block that the BLOCKS query found, if any."""
    if scope is None:
        return None
    return Block.EVERYWHERE if scope == _EVERYWHERE else Block.HERE


def _scope(guild_id: int | None) -> int:
    return _EVERYWHERE if guild_id is None else guild_id


def rules_of(row: Row) -> GuildRules:
    """Build the rules of a row that the RULES query gives."""
    recipe, audio_format, delivery = row["recipe"], row["audio_format"], row["delivery"]
    return GuildRules(
        channel_ids=frozenset(json.loads(row["channel_ids"])),
        recipe=Recipe(recipe) if recipe else None,
        audio_format=AudioFormat(audio_format) if audio_format else None,
        delivery=DeliveryMode(delivery) if delivery else None,
        is_private=None if row["is_private"] is None else bool(row["is_private"]),
    )
