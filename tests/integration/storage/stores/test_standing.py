"""The tests of `storage/stores/standing.py` on PostgreSQL."""

from tests.unit.storage.stores.test_standing import *
