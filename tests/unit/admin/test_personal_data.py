"""Deleting a user's data on a running bot, with jobs in any state."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.delivery.port import Refused, ReplyUnavailable
from bot.domain.job import JobId, State
from bot.providers.interface import Running
from storage.upkeep.invariants import Terms, audit
from tests.support.fakes import FakeDelivery, FakeProvider
from tests.support.harness import ADA, BEN, Harness
from tests.unit.storage.upkeep.test_forgetting import traces


async def states(harness: Harness) -> dict[JobId, State]:
    rows = await harness.db.read("SELECT id, state FROM jobs")
    return {JobId(row["id"]): State(row["state"]) for row in rows}


async def shows_all(harness: Harness) -> None:
    """Act as the reply writer: show every stale reply."""
    while True:
        for stale in await harness.jobs.stale_replies(await harness.jobs.owed()):
            await harness.jobs.reply_shown(stale.job.id, stale.version, message_id=9)
        await asyncio.sleep(0.005)


async def forgotten(harness: Harness) -> int:
    showing = asyncio.create_task(shows_all(harness))
    try:
        async with asyncio.timeout(30):
            return await harness.services.privacy.forget(ADA)
    finally:
        showing.cancel()


def broken_claims(harness: Harness) -> list[str]:
    terms = Terms(now=harness.clock.now(), keep=timedelta(hours=24))
    findings = audit(harness.root / "stemcord.db", harness.root / "jobs", terms)
    return [str(each) for each in findings if not each.is_good]


async def test_jobs_are_stopped_wherever_they_are(tmp_path: Path) -> None:
    provider = FakeProvider("hosted", concurrency=1)
    provider.on_poll = [Running(0.5)] * 100_000
    harness = await Harness.build(tmp_path, provider, max_active_jobs=9)
    await harness.receive()
    working = await harness.split()
    await harness.until(working.id, State.PROCESSING)
    waiting = await harness.split()
    await harness.until(waiting.id, State.HELD)
    harness.downloads.gate = asyncio.Event()
    loading = await harness.split()
    theirs = await harness.split(user_id=BEN)

    assert await forgotten(harness) == 4

    after = await states(harness)
    assert after.pop(theirs.id) is State.RECEIVED
    assert set(after.values()) == {State.CANCELLED}
    assert not [
        job for job in (working, waiting, loading) if (harness.files.of(job.id).path).exists()
    ]
    assert (await harness.usage()).held == 0
    [attempt] = await harness.jobs.attempts(working.id)
    assert (attempt.ref, attempt.files) == (None, ())
    harness.downloads.gate.set()
    await harness.close()
    assert broken_claims(harness) == []
    assert traces(tmp_path / "stemcord.db", "Neon Rain.mp3", "hosted-1") == ["Neon Rain.mp3"]


class SlowDelivery(FakeDelivery):
    """A delivery that never ends."""

    async def deliver(self, job: Any, parcel: Any) -> Any:
        await super().deliver(job, parcel)
        await asyncio.Event().wait()


async def test_a_song_about_to_be_delivered_is_not(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path, delivers=SlowDelivery())
    job = await harness.split()
    async with asyncio.timeout(30):
        while not harness.delivery.shown:
            await asyncio.sleep(0.005)
    assert await forgotten(harness) == 1
    assert await states(harness) == {job.id: State.KEPT}
    assert not harness.files.of(job.id).path.exists()
    assert (await harness.usage()).used == 4, "it was made, and paid for"
    assert harness.delivery.forgotten == [job.id]
    await harness.close()


async def test_an_answer_that_comes_late_is_written_without_its_reference(tmp_path: Path) -> None:
    provider = FakeProvider("hosted")
    provider.gate = asyncio.Event()
    harness = await Harness.build(tmp_path, provider)
    job = await harness.split()
    async with asyncio.timeout(30):
        while not provider.submits:
            await asyncio.sleep(0.005)
    assert await forgotten(harness) == 1
    provider.gate.set()
    async with asyncio.timeout(30):
        while (await harness.jobs.attempts(job.id))[0].state.value != "abandoned":
            await asyncio.sleep(0.005)
    [attempt] = await harness.jobs.attempts(job.id)
    assert attempt.ref is None
    assert attempt.cost_minutes == 4, "the owner's side of it stays"
    await harness.close()
    assert broken_claims(harness) == []


async def test_replies_that_cannot_be_shown_hold_nothing_up_for_long(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path)
    harness.delivery.answers = [ReplyUnavailable("away"), Refused("gone")]
    harness.downloads.gate = asyncio.Event()
    await harness.split()
    harness.services.privacy._last_edits_s = 0.02
    assert await harness.services.privacy.forget(ADA) == 1
    await harness.close()


async def test_a_forgotten_user_begins_anew_where_the_minutes_stand(harness: Harness) -> None:
    first = await harness.split()
    await harness.until(first.id)
    assert await forgotten(harness) == 1
    again = await harness.split()
    assert (await harness.until(again.id)).state is State.DELIVERED
    assert again.repeat_of is None, "the same song is not remembered"
    assert (await harness.usage()).used == 8
    assert [job.id for job in await harness.services.splits.jobs_of(ADA)] == [again.id]


async def test_the_key_to_accounts_goes_a_week_after_their_period(harness: Harness) -> None:
    job = await harness.split()
    await harness.until(job.id)
    harness.clock.move(days=7, hours=11)
    await harness.services.retention.sweep()
    assert len(await harness.db.read("SELECT period FROM account_keys")) == 1
    harness.clock.move(hours=2)
    await harness.services.retention.sweep()
    assert await harness.db.read("SELECT period FROM account_keys") == []


async def test_those_who_get_songs_are_named(tmp_path: Path) -> None:
    local = FakeProvider("local", is_hosted=False)
    harness = await Harness.build(tmp_path, FakeProvider("vendor"), local)
    assert harness.services.privacy.recipients == ("Vendor",)
    assert replace(local.capabilities, is_hosted=True).title == "Local"
    await harness.close()


async def test_a_ready_song_that_is_resumed_meanwhile_is_stopped_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await Harness.build(tmp_path)
    first.delivery.answers = [ReplyUnavailable("down")] * 100
    job = await first.split()
    await first.until(job.id, State.READY)
    await first.close()
    harness = await Harness.build(tmp_path, clock=first.clock)
    unfinished = await harness.services.splits.restore()
    save = harness.jobs.save

    async def resume_first(*what: Any, **how: Any) -> None:
        if what[0].state is State.KEPT:
            await harness.services.splits.resume(unfinished)
        await save(*what, **how)

    monkeypatch.setattr(harness.jobs, "save", resume_first)
    assert await forgotten(harness) == 1
    assert harness.services.runner.running == 0
    assert not harness.delivery.shown
    assert await states(harness) == {job.id: State.KEPT}
    await harness.close()
