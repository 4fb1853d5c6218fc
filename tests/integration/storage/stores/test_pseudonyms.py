"""The tests of `storage/stores/pseudonyms.py` on PostgreSQL."""

from tests.unit.storage.stores.test_pseudonyms import *
