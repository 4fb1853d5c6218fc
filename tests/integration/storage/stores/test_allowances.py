"""The tests of `storage/stores/allowances.py` on PostgreSQL."""

from tests.unit.storage.stores.test_allowances import *
