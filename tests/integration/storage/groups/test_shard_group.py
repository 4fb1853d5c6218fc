"""The tests of `storage/groups/shard_group.py` on PostgreSQL."""

from tests.unit.storage.groups.test_shard_group import *
