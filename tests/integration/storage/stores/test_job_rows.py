"""The tests of `storage/stores/job_rows.py` on PostgreSQL."""

from tests.unit.storage.stores.test_job_rows import *
