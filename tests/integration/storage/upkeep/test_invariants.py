"""The tests of `storage/upkeep/invariants.py` on PostgreSQL."""

from tests.unit.storage.upkeep.test_invariants import *
