"""The last rendition of a song is remembered for its user only, and forgotten with them."""

from datetime import timedelta

from bot.domain.job import UserId
from bot.domain.renditions import Rendition
from storage.database.protocols import Database
from storage.stores.last_renditions import LastRenditions
from storage.upkeep.forgetting import Forgetting
from tests.support.domain_factories import NOW, TODAY, USER

OTHER = UserId(8)
LOWER, SLOWER = Rendition(cents=-200), Rendition(speed_percent=80)


async def test_the_last_rendition_of_a_song_is_remembered(db: Database):
    last = LastRenditions(db=db)
    await last.put(USER, "song", LOWER, NOW)
    await last.put(USER, "song", SLOWER, NOW)
    assert await last.get(USER, "song") == SLOWER
    assert await last.get(USER, "another") is None
    assert await last.get(OTHER, "song") is None


async def test_nothing_stored_names_the_user_or_the_song(db: Database):
    await LastRenditions(db=db).put(USER, "song", LOWER, NOW)
    await LastRenditions(db=db).put(OTHER, "song", LOWER, NOW)
    rows = [tuple(row) for row in await db.read("SELECT * FROM last_renditions")]
    assert "song" not in repr(rows)
    assert str(USER) not in repr(rows)
    assert len({row[1] for row in rows}) == 2, "two users' rows show that they have the same song"


async def test_old_choices_are_forgotten(db: Database):
    last = LastRenditions(db=db)
    await last.put(USER, "song", LOWER, NOW)
    await last.drop_old(NOW)
    assert await last.get(USER, "song") == LOWER
    await last.drop_old(NOW + timedelta(seconds=1))
    assert await last.get(USER, "song") is None


async def test_forgetting_a_user_deletes_their_choices(db: Database):
    last = LastRenditions(db=db)
    await last.put(USER, "song", LOWER, NOW)
    await last.put(OTHER, "song", LOWER, NOW)
    await Forgetting(db=db).forget(USER, TODAY)
    assert await last.get(USER, "song") is None
    assert await last.get(OTHER, "song") == LOWER
