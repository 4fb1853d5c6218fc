from collections.abc import AsyncIterator

import pytest

from storage.database.opening import Address
from storage.database.protocols import Database
from tests.support.both_databases import reopen


@pytest.fixture
async def db(address: Address) -> AsyncIterator[Database]:
    """A new database of each kind. Tests with this fixture run on both."""
    database = await reopen(address)
    yield database
    await database.close()
