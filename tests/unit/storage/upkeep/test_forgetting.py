"""Deleting a user's data: no trace is left in the files, and no limit is reset by it."""

import random
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import psycopg
import pytest

from bot.domain.attempt import AttemptState, RemoteFile, RemoteRef
from bot.domain.errors import SpendCapReached
from bot.domain.guilds import Block, Subject
from bot.domain.job import Job, JobId, State, UserId
from bot.domain.minutes import SpendCap
from bot.domain.periods import Period
from bot.domain.recipes import Stem
from storage.database.opening import Address, PostgresUrl
from storage.database.protocols import Database
from storage.stores.allowances import Allowances
from storage.stores.guild_pools import GuildPools
from storage.stores.guild_settings import GuildStore
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from storage.stores.pseudonyms import KEYS_OUTLAST, NOBODY, Pseudonyms, lasting_pseudonym
from storage.stores.standing import Standings
from storage.stores.vendor_spending import Spending
from storage.upkeep.forgetting import Forgetting
from tests.support.domain_factories import (
    ADMIN,
    NOW,
    TODAY,
    TOMORROW,
    USER,
    StillClock,
    a_job,
    an_attempt,
    lead,
)

STRANGER = UserId(2**61 + 5)
GUILD = 2**60 + 3
SONG = "Zephyrine Quokka"
_interactions = count(GUILD + 1000)
URL = "https://cdn.example/9/quokka.wav?ex=7&hm=signed"


def a_song(user_id: UserId, number: int = 0) -> Job:
    """Return a job whose personal data consists of unique strings and numbers."""
    job = a_job(user_id=user_id)
    source = replace(job.request.source, filename=f"{SONG} {number}.wav", url=URL)
    reply = replace(
        job.reply,
        channel_id=GUILD + 1,
        guild_id=GUILD,
        token=f"token-of-{number}",
        locale="pt-BR",
        size_limit_bytes=10_485_761,
    )
    request = replace(job.request, source=source, role_ids=(GUILD + 2,))
    return replace(job, request=request, reply=reply, interaction_id=next(_interactions))


def traces(address: Address, *secrets: str | int) -> list[str | int]:
    """Return the secrets found in an SQLite database's files, or in PostgreSQL's tables.

    PostgreSQL's files are not searched.
    """
    return (
        _in_files(address, *secrets) if isinstance(address, Path) else _in_rows(address, *secrets)
    )


def _in_rows(address: PostgresUrl, *secrets: str | int) -> list[str | int]:
    with psycopg.connect(address.secret) as conn:
        tables = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = [conn.execute(f"SELECT each::text FROM {name} AS each") for (name,) in tables]
        content = "".join(text for rows in found for (text,) in rows)
    return [secret for secret in secrets if str(secret) in content]


def _in_files(path: Path, *secrets: str | int) -> list[str | int]:
    """Search for texts and for stored numbers."""
    content = b"".join(each.read_bytes() for each in sorted(path.parent.glob(path.name + "*")))
    return [
        secret
        for secret in secrets
        if str(secret).encode() in content
        or (isinstance(secret, int) and secret.to_bytes(8, signed=True) in content)
    ]


THEIRS = (USER, SONG, "quokka", "signed", "token-of", GUILD + 1, GUILD + 2, "remote-ref", "note-of")


async def a_life(db: Database, user_id: UserId, jobs: int = 3) -> list[Job]:
    """Store all kinds of data about a user."""
    store = JobStore(db=db)
    made = []
    for number in range(jobs):
        state = (State.DELIVERED, State.FAILED, State.KEPT)[number % 3]
        song = a_song(user_id, number)
        job = await lead(store, state, job=song, title=f"{SONG} {number}", minutes=1)
        await store.record(
            an_attempt(job).done(NOW, (RemoteFile(URL, Stem.VOCALS),)),
        )
        await store.record(an_attempt(job, number=2, ref=RemoteRef("remote-ref")))
        made.append(job)
    await db.write(lambda conn: conn.execute("UPDATE events SET note = 'note-of'"))
    return made


async def test_nothing_in_the_files_shows_who_is_forgotten(db: Database, address: Address) -> None:
    secrets = (next(_interactions) + 1, *THEIRS)
    await a_life(db, USER, jobs=6)
    await GuildStore(db=db, clock=StillClock()).block(USER, None, by=ADMIN)
    subject = Subject("user", USER, 13)
    await Allowances(db=db, clock=StillClock()).give(subject, 30, by=USER)
    await Ledger(db=db, clock=StillClock()).grant(USER, 5, TODAY, by=USER)
    await GuildPools(db=db, clock=StillClock()).give(13, 50, TODAY, by=USER)
    await GuildPools(db=db, clock=StillClock()).hand_out(13, USER, 5, TODAY, by=USER)
    assert traces(address, *secrets) == list(secrets), "or the search would prove nothing"

    await Forgetting(db=db).forget(USER, TODAY)

    assert traces(address, *secrets) == []
    await db.close()
    assert traces(address, *secrets) == []


async def test_copies_that_a_busy_database_left_on_its_pages_go_too(
    db: Database, address: Address
) -> None:
    dice = random.Random(1)
    store = JobStore(db=db)
    for number in range(300):
        song = a_song(USER if dice.random() < 0.3 else UserId(STRANGER + number), number)
        name = "quokka" if song.request.user_id == USER else "other"
        source = replace(song.request.source, filename=name + "x" * dice.randint(0, 900), url=name)
        song = replace(song, request=replace(song.request, source=source))
        song = replace(song, state=State.CANCELLED, title="y" * dice.randint(1, 200))
        await store.add(song, max_active=1)

    await Forgetting(db=db).forget(USER, TODAY)

    assert traces(address, USER, "quokka") == []


async def test_others_keep_what_is_theirs(db: Database, address: Address) -> None:
    await a_life(db, USER)
    [theirs, *_] = await a_life(db, STRANGER)
    assert await Forgetting(db=db).forget(USER, TODAY) == 3
    kept = await JobStore(db=db).get(theirs.id)
    assert kept is not None
    assert (kept.title, kept.request.user_id) == (f"{SONG} 0", STRANGER)
    assert await JobStore(db=db).of_user(USER, 10) == []
    assert traces(address, STRANGER) == [STRANGER]


async def test_used_minutes_stay_used_until_the_period_is_over(db: Database) -> None:
    ledger = Ledger(db=db, clock=StillClock())
    await a_life(db, USER)
    before = await ledger.usage(USER, TODAY, 60)
    assert before.used == 2
    await Forgetting(db=db).forget(USER, TODAY)
    assert await ledger.usage(USER, TODAY, 60) == before
    assert (await ledger.usage(STRANGER, TODAY, 60)).used == 0


async def test_nobody_can_tell_whose_the_accounts_of_a_past_period_were(
    db: Database, address: Address
) -> None:
    pseudonyms = Pseudonyms(db=db)
    await a_life(db, USER)
    pseudonym = await pseudonyms.of(USER, TODAY.key)
    assert pseudonym not in (NOBODY, await lasting_pseudonym(db, USER))
    [row] = await db.read(
        "SELECT count(*) AS rows FROM ledger WHERE debit LIKE ?", (f"%{pseudonym:x}%",)
    )
    assert row["rows"]
    await pseudonyms.drop_keys(TODAY.ends_at + KEYS_OUTLAST)
    assert await pseudonyms.of(USER, TODAY.key) == pseudonym, "it may not be over yet"
    await pseudonyms.drop_keys(TODAY.ends_at + KEYS_OUTLAST + timedelta(seconds=1))
    assert await pseudonyms.of(USER, TODAY.key) == NOBODY
    assert (await Ledger(db=db, clock=StillClock()).usage(USER, TODAY, 60)).used == 0


async def own_cap(db: Database, user_id: UserId, period: Period) -> SpendCap:
    got = await Standings(db=db).minutes(user_id, None, period, plain=5)
    return SpendCap(minutes=10, since=period.starts_at, user_id=user_id, former_id=got.former_id)


async def test_what_was_submitted_counts_towards_the_caps_all_the_same(db: Database) -> None:
    spending, store = Spending(db=db), JobStore(db=db)
    everybody = SpendCap(minutes=10, since=TODAY.starts_at)
    job = await lead(store, State.FAILED, job=a_song(USER))
    await store.record(an_attempt(job, cost_minutes=8).ended(NOW, AttemptState.UNCERTAIN))
    await Forgetting(db=db).forget(USER, TODAY)
    own = await own_cap(db, USER, TODAY)
    strangers = await own_cap(db, STRANGER, TODAY)
    assert await spending.submitted([own, everybody, strangers]) == [8, 8, 0]
    held = await lead(store, State.HELD, job=a_song(USER, 1))
    sent = held.submitting(NOW, provider="finevoice")
    with pytest.raises(SpendCapReached):
        await store.save(
            sent, expected=State.HELD, attempt=an_attempt(held, cost_minutes=3), caps=[own]
        )
    assert await spending.submitted([await own_cap(db, USER, TOMORROW)]) == [0]


async def test_blocks_and_limits_stand(db: Database) -> None:
    servers = GuildStore(db=db, clock=StillClock())
    await servers.block(USER, None, by=ADMIN)
    await a_life(db, USER)
    await Forgetting(db=db).forget(USER, TODAY)
    assert await servers.block_of(USER, None) is Block.EVERYWHERE
    assert await servers.block_of(STRANGER, None) is None
    assert await servers.unblock(USER, None)
    assert await servers.block_of(USER, None) is None


async def test_a_job_under_way_is_left_to_be_stopped_first(db: Database) -> None:
    job = await lead(JobStore(db=db), State.PROCESSING, job=a_song(USER))
    assert await Forgetting(db=db).forget(USER, TODAY) == 0
    assert await JobStore(db=db).get(job.id) is not None


async def test_what_comes_late_does_not_bring_it_back(db: Database, address: Address) -> None:
    store = JobStore(db=db)
    job = await lead(store, State.CANCELLED, job=a_song(USER))
    attempt = an_attempt(job)
    await store.record(attempt)
    await Forgetting(db=db).forget(USER, TODAY)

    await store.record(replace(attempt, ref=RemoteRef("remote-ref")))
    await store.record(attempt.done(NOW, (RemoteFile(URL, Stem.VOCALS),)))
    await store.reply_shown(job.id, 1, message_id=GUILD + 77)
    await store.mark_expired(job.id)
    await store.readdress(job.id, URL)

    await db.scrub()
    assert traces(address, "remote-ref", "quokka", GUILD + 77) == []
    found = await store.get(job.id)
    assert found is not None
    assert (found.reply.message_id, found.request.source.url) == (None, "")
    [late] = await store.attempts(job.id)
    assert (late.state, late.ref, late.files) == (AttemptState.DONE, None, ())


async def test_forgetting_twice_is_forgetting_once(db: Database) -> None:
    await a_life(db, USER)
    assert await Forgetting(db=db).forget(USER, TODAY) == 3
    assert await Forgetting(db=db).forget(USER, TODAY) == 0
    await a_life(db, USER)
    assert await Forgetting(db=db).forget(USER, TODAY) == 3


async def test_replies_that_are_behind_are_counted(db: Database) -> None:
    store = JobStore(db=db)
    await lead(store, State.CANCELLED, job=a_song(USER))
    assert await Forgetting(db=db).owed_replies(USER) == 1
    [stale] = await store.stale_replies(await store.owed())
    await store.reply_shown(JobId(stale.job.id), stale.version)
    assert await Forgetting(db=db).owed_replies(USER) == 0
