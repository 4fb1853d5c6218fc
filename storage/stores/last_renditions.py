"""The last rendition that a user chose for a song, which forms offer again.

User and song are stored as keyed hashes, with the key of lasting pseudonyms. Without the key, a row
identifies neither the user nor the song.
"""

import hashlib
import hmac
from datetime import datetime

from bot.domain.job import UserId
from bot.domain.renditions import Rendition
from storage.database.protocols import Database
from storage.stores.job_rows import seconds
from storage.stores.pseudonyms import Pseudonym, lasting_pseudonym

_PUT = """
INSERT INTO last_renditions (pseudonym, song, rendition, chosen_at)
VALUES (:pseudonym, :song, :rendition, :chosen_at)
ON CONFLICT (pseudonym, song) DO UPDATE SET
    rendition = excluded.rendition, chosen_at = excluded.chosen_at
"""
_GET = "SELECT rendition FROM last_renditions WHERE pseudonym = ? AND song = ?"
_DROP_OLD = "DELETE FROM last_renditions WHERE chosen_at < ?"
FORGET = "DELETE FROM last_renditions WHERE pseudonym = ?"


class LastRenditions:
    """Remembers a user's last rendition of each song."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def put(self, user_id: UserId, digest: str, rendition: Rendition, now: datetime) -> None:
        """Remember the rendition for the song with this digest."""
        pseudonym = await lasting_pseudonym(self._db, user_id)
        values = {
            "pseudonym": pseudonym,
            "song": _song(pseudonym, digest),
            "rendition": rendition.to_json(),
            "chosen_at": seconds(now),
        }
        await self._db.write(lambda conn: conn.execute(_PUT, values))

    async def get(self, user_id: UserId, digest: str) -> Rendition | None:
        """Return the user's last rendition of the song, or None."""
        pseudonym = await lasting_pseudonym(self._db, user_id)
        rows = await self._db.read(_GET, (pseudonym, _song(pseudonym, digest)))
        try:
            return Rendition.from_json(rows[0]["rendition"]) if rows else None
        except ValueError:
            return None  # written by a newer version

    async def drop_old(self, before: datetime) -> None:
        """Delete the renditions chosen before this time."""
        await self._db.write(lambda conn: conn.execute(_DROP_OLD, (seconds(before),)))


def _song(pseudonym: Pseudonym, digest: str) -> int:
    """Return a 63-bit hash of a user's song; it differs between users."""
    mac = hmac.digest(str(pseudonym).encode(), digest.encode(), hashlib.sha256)
    return int.from_bytes(mac[:8]) >> 1
