"""The guarantees of every database to the stores, for PostgreSQL."""

from tests.unit.storage.database.test_interface import *
