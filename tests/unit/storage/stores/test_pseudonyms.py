"""The keys that link accounts to users: one per period, kept until well after its end."""

from dataclasses import replace
from datetime import timedelta

from storage.database.protocols import Database
from storage.stores.pseudonyms import KEYS_OUTLAST, NOBODY, Pseudonyms, account_pseudonym
from tests.support.domain_factories import NOW, TODAY, USER


async def drawn(db: Database, period=TODAY) -> int:
    return await db.write(lambda conn: account_pseudonym(conn, USER, period))


async def test_key_survives_a_sweep_with_a_clock_that_is_days_ahead(db: Database):
    names = Pseudonyms(db=db)
    name = await drawn(db)

    await names.drop_keys(NOW + timedelta(days=3))

    assert await names.of(USER, TODAY.key) == name


async def test_key_goes_well_after_its_period(db: Database):
    names = Pseudonyms(db=db)
    await drawn(db)

    await names.drop_keys(TODAY.ends_at + KEYS_OUTLAST + timedelta(seconds=1))

    assert await names.of(USER, TODAY.key) == NOBODY


async def test_end_of_a_key_only_moves_later(db: Database):
    names = Pseudonyms(db=db)
    later = replace(TODAY, ends_at=TODAY.ends_at + timedelta(days=30))
    name = await drawn(db, TODAY)

    assert await drawn(db, later) == name
    assert await drawn(db, TODAY) == name
    await names.drop_keys(later.ends_at)

    assert await names.of(USER, TODAY.key) == name


async def test_periods_without_a_kind_are_those_that_began_before_keys_had_one(db: Database):
    names = Pseudonyms(db=db)
    old = replace(TODAY, key="2026-11-20")
    await drawn(db, TODAY)
    await drawn(db, old)

    assert await names.periods_without_kind() == (old,)
