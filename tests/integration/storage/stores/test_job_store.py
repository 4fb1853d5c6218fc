"""The tests of `storage/stores/job_store.py` on PostgreSQL."""

from tests.unit.storage.stores.test_job_store import *
