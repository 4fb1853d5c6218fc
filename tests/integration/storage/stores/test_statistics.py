"""The tests of `storage/stores/statistics.py` on PostgreSQL."""

from tests.unit.storage.stores.test_statistics import *
