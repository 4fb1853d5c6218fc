from storage.database.opening import Address
from storage.database.protocols import Database
from storage.stores.meta import Meta
from tests.support.both_databases import reopen


async def test_a_fact_is_kept_changed_and_outlives_a_restart(db: Database, address: Address):
    meta = Meta(db=db)
    assert await meta.get("commands") is None
    await meta.put("commands", "a1")
    await meta.put("commands", "b2")
    again = await reopen(address)
    assert await Meta(db=again).get("commands") == "b2"
    await again.close()
