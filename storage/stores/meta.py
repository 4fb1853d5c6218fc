"""A key-value store for small persistent values."""

import secrets

from storage.database.protocols import Database

LINK_KEY = "link key"
"""The key of the secret that signs the bot's own links."""

_GET = "SELECT value FROM meta WHERE key = ?"
_PUT = """
INSERT INTO meta (key, value) VALUES (?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""
_PUT_ONCE = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"


class Meta:
    """Stores texts by key."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def get(self, key: str) -> str | None:
        """Return the key's value, or None."""
        rows = await self._db.read(_GET, (key,))
        return rows[0]["value"] if rows else None

    async def put(self, key: str, value: str) -> None:
        """Set the key's value."""
        await self._db.write(lambda conn: conn.execute(_PUT, (key, value)))

    async def renew_secret(self, key: str, size_bytes: int) -> None:
        """Replace the secret with new random bytes."""
        await self.put(key, secrets.token_hex(size_bytes))

    async def secret(self, key: str, size_bytes: int) -> bytes:
        """Return the secret's random bytes, generated on first use."""
        if (known := await self.get(key)) is None:
            drawn = secrets.token_hex(size_bytes)
            await self._db.write(lambda conn: conn.execute(_PUT_ONCE, (key, drawn)))
            known = await self.get(key)
        return bytes.fromhex(known or "")
