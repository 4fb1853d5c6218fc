"""The tests of `storage/stores/open_replies.py` on PostgreSQL."""

from tests.unit.storage.stores.test_open_replies import *
