"""The tests of `storage/stores/guild_pools.py` on PostgreSQL."""

from tests.unit.storage.stores.test_guild_pools import *
