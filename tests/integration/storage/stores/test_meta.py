"""The tests of `storage/stores/meta.py` on PostgreSQL."""

from tests.unit.storage.stores.test_meta import *
