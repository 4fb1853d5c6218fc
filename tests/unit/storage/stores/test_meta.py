from pathlib import Path

from storage.database.connection import Database
from storage.stores.meta import Meta


async def test_a_fact_is_kept_changed_and_outlives_a_restart(db: Database, path: Path):
    meta = Meta(db=db)
    assert await meta.get("commands") is None
    await meta.put("commands", "a1")
    await meta.put("commands", "b2")
    again = await Database.open(path, durable=False)
    assert await Meta(db=again).get("commands") == "b2"
    await again.close()
