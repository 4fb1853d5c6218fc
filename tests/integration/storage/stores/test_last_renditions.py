"""The tests of `storage/stores/last_renditions.py` on PostgreSQL."""

from tests.unit.storage.stores.test_last_renditions import *
