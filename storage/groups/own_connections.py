"""Builds what needs its own connection. Imports psycopg only for PostgreSQL."""

from pathlib import Path
from typing import TYPE_CHECKING

from storage.database.opening import Address, PostgresUrl
from storage.database.protocols import BotLock
from storage.groups.shard_group import EVERY_SHARD, ShardGroup

if TYPE_CHECKING:
    from storage.groups.listener import Listener


def lock_of(address: Address, shards: ShardGroup = EVERY_SHARD) -> BotLock | None:
    """Return the lock of a PostgreSQL database's shard group, not yet taken.

    While a process has it, no other process can have the lock of a group with another number of
    shards, or with one of these shards. SQLite needs no such lock, because one process holds the
    data directory.
    """
    if isinstance(address, Path):
        return None
    from storage.groups.group_lock import PostgresGroupLock

    return PostgresGroupLock(address.secret, shards=shards)


def listener_of(address: PostgresUrl) -> "Listener":
    """Return the listener for signals of other bots, not yet connected."""
    from storage.groups.listener import Listener

    return Listener(address.secret)
