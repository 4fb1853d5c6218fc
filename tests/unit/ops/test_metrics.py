"""The metrics for the operator's monitoring, counted from the store."""

import asyncio
from pathlib import Path

import pytest

from bot.domain.attempt import AttemptState
from bot.domain.errors import StoreUnavailable
from bot.domain.job import State
from bot.ops import metrics
from bot.workers.counts import Outcome, WorkCounts
from storage.database.connection import Database
from storage.database.protocols import Connection
from storage.stores.job_store import JobStore
from storage.stores.statistics import Statistics
from storage.stores.vendor_spending import Spending
from tests.support.databases import open_database
from tests.support.domain_factories import NOW, an_attempt, lead
from tests.support.fakes import FakeClock


async def test_all_jobs_and_attempts_are_counted_by_state(tmp_path: Path) -> None:
    db = await open_database(tmp_path / "stemcord.db", Database)
    jobs = JobStore(db=db)
    await lead(jobs, State.HELD)
    await lead(jobs, State.HELD)
    made = await lead(jobs, State.DELIVERED)
    await jobs.record(an_attempt(made, state=AttemptState.UNCERTAIN))
    await jobs.record(an_attempt(made, provider="local", cost_minutes=0, state=AttemptState.DONE))
    scrape = metrics.render(
        jobs=await Statistics(db=db).jobs(NOW),
        usage=await Spending(db=db).provider_usage(NOW),
        running=2,
        queue={("local", "waiting"): 3},
        devices=[("local", "cuda", "Card")],
    ).decode()
    await db.close()
    samples = [line for line in scrape.splitlines() if not line.startswith("#")]
    assert sorted(samples) == [
        'stemcord_attempts{provider="finevoice",state="uncertain"} 1.0',
        'stemcord_attempts{provider="local",state="done"} 1.0',
        'stemcord_device{device="cuda",name="Card",provider="local"} 1.0',
        'stemcord_jobs{state="delivered"} 1.0',
        'stemcord_jobs{state="held"} 2.0',
        'stemcord_line{place="waiting",provider="local"} 3.0',
        "stemcord_running 2.0",
        "stemcord_unreadable_jobs 0.0",
    ]


async def test_states_of_another_version_are_left_out(tmp_path: Path) -> None:
    db = await open_database(tmp_path / "stemcord.db", Database)
    jobs = JobStore(db=db)
    strange, known = await lead(jobs, State.HELD), await lead(jobs, State.HELD)
    for job in (strange, known):
        await jobs.record(an_attempt(job))

    async def spoil(conn: Connection) -> None:
        await conn.execute("PRAGMA ignore_check_constraints = ON")
        await conn.execute("UPDATE jobs SET state = 'paused' WHERE id = ?", (strange.id,))
        await conn.execute("UPDATE attempts SET state = 'paused' WHERE job_id = ?", (strange.id,))

    await db.write(spoil)
    assert await Statistics(db=db).jobs(NOW) == {State.HELD: 1}
    usage = await Spending(db=db).provider_usage(NOW)
    assert usage["finevoice"].attempts == {AttemptState.SENDING: 1}
    await db.close()


async def test_a_scrape_is_counted_once_for_all_who_ask_within_some_seconds() -> None:
    clock, made = FakeClock(), []

    async def make() -> bytes:
        made.append(clock.monotonic())
        await asyncio.sleep(0)
        return str(len(made)).encode()

    scrape = metrics.SharedScrape(make, clock=clock, kept_s=15)

    assert await asyncio.gather(*(scrape() for _ in range(20))) == [b"1"] * 20
    clock.move(seconds=14)
    assert await scrape() == b"1"
    clock.move(seconds=1)
    assert await scrape() == b"2"


async def test_a_scrape_that_failed_is_made_again() -> None:
    answers: list[StoreUnavailable | bytes] = [StoreUnavailable("locked"), b"made"]

    async def make() -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    scrape = metrics.SharedScrape(make, clock=FakeClock())

    with pytest.raises(StoreUnavailable):
        await scrape()
    assert await scrape() == b"made"


def test_a_workers_metrics_count_what_has_ended_and_what_is_under_way() -> None:
    counts = WorkCounts()
    counts.add(Outcome.DONE)
    counts.add(Outcome.DONE)
    with counts.running():
        page = metrics.render_work(separations=counts, audio=WorkCounts(), is_paused=True).decode()
        other = metrics.render_work(
            separations=WorkCounts(), audio=counts, is_paused=False
        ).decode()
    assert 'stemcord_worker_separations_total{outcome="done"} 2.0' in page
    assert 'stemcord_worker_audio_tasks_total{outcome="done"} 0.0' in page
    assert 'stemcord_worker_audio_tasks_total{outcome="done"} 2.0' in other
    assert "stemcord_worker_running_audio_tasks 1.0" in other
    assert 'stemcord_worker_separations_total{outcome="failed"} 0.0' in page
    assert "stemcord_worker_running 1.0" in page
    assert "stemcord_worker_paused 1.0" in page
    assert counts.under_way == 0


def test_audio_tasks_on_workers_are_counted_by_outcome() -> None:
    page = metrics.render(
        jobs={}, usage={}, running=0, queue={}, sent_audio={"done": 3, "declined": 0}
    ).decode()
    assert 'stemcord_sent_audio_tasks{outcome="done"} 3.0' in page
    assert 'stemcord_sent_audio_tasks{outcome="declined"} 0.0' in page
