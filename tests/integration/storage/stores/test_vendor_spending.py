"""The tests of `storage/stores/vendor_spending.py` on PostgreSQL."""

from tests.unit.storage.stores.test_vendor_spending import *
