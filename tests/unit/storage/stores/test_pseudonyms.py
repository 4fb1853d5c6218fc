"""The keys that link accounts to users: one per period, kept until well after its end."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from storage.database.protocols import Database
from storage.stores.pseudonyms import (
    KEYS_OUTLAST,
    NOBODY,
    Pseudonyms,
    account_pseudonym,
    lasting_pseudonym,
)
from tests.support.counting_database import CountingDatabase
from tests.support.databases import open_database
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


async def test_keys_in_use_are_read_once(tmp_path: Path):
    db = await open_database(tmp_path / "stemcord.db", CountingDatabase)
    names = Pseudonyms(db=db)

    found = await asyncio.gather(*(names.names(USER, TODAY) for _ in range(20)))

    assert len(set(found)) == 1
    assert found[0].account == await drawn(db)
    assert found[0].lasting == await lasting_pseudonym(db, USER)
    assert sum("account_keys" in sql for sql in db.reads) == 1
    await db.close()


async def test_each_period_has_its_own_name(db: Database):
    names = Pseudonyms(db=db)
    later = replace(TODAY, key="later", ends_at=TODAY.ends_at + timedelta(days=1))

    first, second, again = [await names.names(USER, each) for each in (TODAY, later, TODAY)]

    assert first.account != second.account
    assert first.lasting == second.lasting
    assert again == first


async def test_a_key_that_was_deleted_is_not_remembered(db: Database):
    names = Pseudonyms(db=db)
    before = await names.names(USER, TODAY)

    await names.drop_keys(TODAY.ends_at + KEYS_OUTLAST + timedelta(seconds=1))

    after = await names.names(USER, TODAY)
    assert after.account != before.account
    assert after.lasting == before.lasting
