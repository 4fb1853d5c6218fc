"""The tests of `storage/stores/guild_settings.py` on PostgreSQL."""

from tests.unit.storage.stores.test_guild_settings import *
