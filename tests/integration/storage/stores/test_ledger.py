"""The tests of `storage/stores/ledger.py` on PostgreSQL."""

from tests.unit.storage.stores.test_ledger import *
