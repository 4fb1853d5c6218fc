"""The tests of `storage/stores/batches.py` on PostgreSQL."""

from tests.unit.storage.stores.test_batches import *
