"""The tests of `storage/upkeep/forgetting.py` on PostgreSQL."""

from tests.unit.storage.upkeep.test_forgetting import *
