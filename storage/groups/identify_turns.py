"""Spaces the IDENTIFYs of all bots, because Discord accepts one per key every five seconds."""

from storage.database.protocols import Connection, Database

GAP_MS = 5_200
"""Discord's five seconds, and a margin for the network."""
# One row for each key: the time of its last turn, by the server's clock. The row is locked until
# the commit, so no two bots get the same turn.
_TAKE = """
INSERT INTO meta (key, value) VALUES (:key, CAST(extract(epoch FROM now()) * 1000 AS bigint))
ON CONFLICT (key) DO UPDATE SET value = greatest(
    CAST(meta.value AS bigint) + :gap_ms,
    CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)
)
RETURNING CAST(value AS bigint) - CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)
    AS wait_ms
"""


class IdentifyTurns:
    """Assigns turns to shards; shards with the same `shard_id % max_concurrency` share a key."""

    def __init__(self, *, db: Database) -> None:
        """`db` is a PostgreSQL database."""
        self._db = db

    async def take(self, shard_id: int, max_concurrency: int) -> float:
        """Return the seconds until the shard may identify. Raises StoreUnavailable."""
        key = f"identified {shard_id % max_concurrency}"

        async def work(conn: Connection) -> float:
            values = {"key": key, "gap_ms": GAP_MS}
            [row] = await conn.execute_fetchall(_TAKE, values)
            return max(0.0, float(row["wait_ms"]) / 1000)

        return await self._db.write(work)
