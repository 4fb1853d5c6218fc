"""Forgetting a user of a living house, whatever their jobs are doing."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.delivery.port import Refused, ReplyUnavailable
from bot.domain.job import JobId, State
from bot.providers.interface import Running
from storage.upkeep.invariants import Terms, audit
from tests.support.fakes import FakeDelivery, FakeProvider
from tests.support.harness import ADA, BEN, House
from tests.unit.storage.upkeep.test_forgetting import traces


async def states(house: House) -> dict[JobId, State]:
    rows = await house.db.read("SELECT id, state FROM jobs")
    return {JobId(row["id"]): State(row["state"]) for row in rows}


async def shows_all(house: House) -> None:
    """Stand in for the reply writer: show what every reply owes."""
    while True:
        for stale in await house.jobs.stale_replies(await house.jobs.owed()):
            await house.jobs.reply_shown(stale.job.id, stale.version, message_id=9)
        await asyncio.sleep(0.005)


async def forgotten(house: House) -> int:
    showing = asyncio.create_task(shows_all(house))
    try:
        async with asyncio.timeout(30):
            return await house.services.privacy.forget(ADA)
    finally:
        showing.cancel()


def broken_claims(house: House) -> list[str]:
    terms = Terms(now=house.clock.now(), keep=timedelta(hours=24))
    findings = audit(house.root / "stemcord.db", house.root / "jobs", terms)
    return [str(each) for each in findings if not each.is_good]


async def test_jobs_are_stopped_wherever_they_are(tmp_path: Path) -> None:
    provider = FakeProvider("hosted", concurrency=1)
    provider.on_poll = [Running(0.5)] * 100_000
    house = await House.build(tmp_path, provider, max_active_jobs=9)
    await house.receive()
    working = await house.split()
    await house.until(working.id, State.PROCESSING)
    waiting = await house.split()
    await house.until(waiting.id, State.HELD)
    house.downloads.gate = asyncio.Event()
    loading = await house.split()
    theirs = await house.split(user_id=BEN)

    assert await forgotten(house) == 4

    after = await states(house)
    assert after.pop(theirs.id) is State.RECEIVED
    assert set(after.values()) == {State.CANCELLED}
    assert not [
        job for job in (working, waiting, loading) if (house.files.of(job.id).path).exists()
    ]
    assert (await house.usage()).held == 0
    [attempt] = await house.jobs.attempts(working.id)
    assert (attempt.ref, attempt.files) == (None, ())
    house.downloads.gate.set()
    await house.close()
    assert broken_claims(house) == []
    assert traces(tmp_path / "stemcord.db", "Neon Rain.mp3", "hosted-1") == ["Neon Rain.mp3"]


class SlowDelivery(FakeDelivery):
    """Never has an answer."""

    async def deliver(self, job: Any, parcel: Any) -> Any:
        await super().deliver(job, parcel)
        await asyncio.Event().wait()


async def test_a_song_about_to_be_delivered_is_not(tmp_path: Path) -> None:
    house = await House.build(tmp_path, delivers=SlowDelivery())
    job = await house.split()
    async with asyncio.timeout(30):
        while not house.delivery.shown:
            await asyncio.sleep(0.005)
    assert await forgotten(house) == 1
    assert await states(house) == {job.id: State.KEPT}
    assert not house.files.of(job.id).path.exists()
    assert (await house.usage()).used == 4, "it was made, and paid for"
    assert house.delivery.forgotten == [job.id]
    await house.close()


async def test_an_answer_that_comes_late_is_written_without_its_reference(tmp_path: Path) -> None:
    provider = FakeProvider("hosted")
    provider.gate = asyncio.Event()
    house = await House.build(tmp_path, provider)
    job = await house.split()
    async with asyncio.timeout(30):
        while not provider.submits:
            await asyncio.sleep(0.005)
    assert await forgotten(house) == 1
    provider.gate.set()
    async with asyncio.timeout(30):
        while (await house.jobs.attempts(job.id))[0].state.value != "abandoned":
            await asyncio.sleep(0.005)
    [attempt] = await house.jobs.attempts(job.id)
    assert attempt.ref is None
    assert attempt.cost_minutes == 4, "the owner's side of it stays"
    await house.close()
    assert broken_claims(house) == []


async def test_replies_that_cannot_be_shown_hold_nothing_up_for_long(tmp_path: Path) -> None:
    house = await House.build(tmp_path)
    house.delivery.answers = [ReplyUnavailable("away"), Refused("gone")]
    house.downloads.gate = asyncio.Event()
    await house.split()
    house.services.privacy._last_edits_s = 0.02
    assert await house.services.privacy.forget(ADA) == 1
    await house.close()


async def test_a_forgotten_user_begins_anew_where_the_minutes_stand(house: House) -> None:
    first = await house.split()
    await house.until(first.id)
    assert await forgotten(house) == 1
    again = await house.split()
    assert (await house.until(again.id)).state is State.DELIVERED
    assert again.repeat_of is None, "the same song is not remembered"
    assert (await house.usage()).used == 8
    assert [job.id for job in await house.services.splits.jobs_of(ADA)] == [again.id]


async def test_the_key_to_accounts_goes_with_their_period(house: House) -> None:
    job = await house.split()
    await house.until(job.id)
    house.clock.move(hours=11)
    await house.services.retention.sweep()
    assert len(await house.db.read("SELECT period FROM account_keys")) == 1
    house.clock.move(hours=2)
    await house.services.retention.sweep()
    assert await house.db.read("SELECT period FROM account_keys") == []


async def test_those_who_get_songs_are_named(tmp_path: Path) -> None:
    local = FakeProvider("local", is_hosted=False)
    house = await House.build(tmp_path, FakeProvider("vendor"), local)
    assert house.services.privacy.recipients == ("Vendor",)
    assert replace(local.capabilities, is_hosted=True).title == "Local"
    await house.close()
