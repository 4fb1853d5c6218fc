"""Factories of domain objects for storage tests, valid by default."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from bot.domain.attempt import Attempt
from bot.domain.errors import Problem, Reason
from bot.domain.job import (
    BatchId,
    Context,
    DeliveryDifference,
    Job,
    JobId,
    Reply,
    Request,
    Source,
    State,
    UserId,
)
from bot.domain.minutes import Hold, LedgerEntry, Post, Void
from bot.domain.periods import Period
from bot.domain.recipes import AudioFormat, Recipe
from storage.database.protocols import Database
from storage.stores.batches import Batch
from storage.stores.job_store import JobStore

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TODAY = Period("day:2026-11-20", NOW.replace(hour=0), NOW.replace(hour=0) + timedelta(days=1))
TOMORROW = Period("day:2026-11-21", TODAY.ends_at, TODAY.ends_at + timedelta(days=1))
USER = UserId(2**62 + 7)  # snowflakes need all of 64 bits
ADMIN = UserId(99)

PROBLEM = Problem(Reason.TIMED_OUT, {"minutes": 60, "provider": "FineVoice"})

Step = tuple[Callable[[Job], Job], LedgerEntry | None]

_numbers = count(1)


class StillClock:
    """A clock that always returns `NOW`."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def a_batch(*, user_id: UserId = USER, batch_id: str = "", **changes: object) -> Batch:
    """Return a batch that is not acknowledged."""
    asked = a_job(user_id=user_id)
    batch = Batch(
        id=BatchId(batch_id or f"b{asked.interaction_id:04d}"),
        interaction_id=asked.interaction_id,
        user_id=user_id,
        recipe=asked.request.recipe,
        audio_format=asked.request.audio_format,
        entry=asked.request.entry,
        reply=asked.reply,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(batch, **changes)  # type: ignore[arg-type] # as declared by the test


def a_job(*, user_id: UserId = USER, job_id: str = "", **changes: object) -> Job:
    number = next(_numbers)
    job = Job(
        id=JobId(job_id or f"j{number:04d}"),
        interaction_id=number,
        request=Request(
            user_id=user_id,
            source=Source(
                filename="Neon Rain.wav",
                url="https://cdn.example/1/Neon%20Rain.wav?ex=1&hm=2",
                size_bytes=40_000_000,
                message_id=3,
            ),
            recipe=Recipe.FOUR_STEMS,
            audio_format=AudioFormat.FLAC,
            provider="local",
        ),
        reply=Reply(
            channel_id=11,
            context=Context.GUILD,
            application_id=12,
            guild_id=13,
            token="an-interaction-token",
            token_expires_at=NOW + timedelta(minutes=15),
        ),
        created_at=NOW,
        updated_at=NOW,
        title="Neon Rain",
    )
    return replace(job, **changes)  # type: ignore[arg-type] # replace() checks the names


def a_hold(job: Job, minutes: int, *, allowance: int = 60, period: Period = TODAY) -> Hold:
    return Hold(
        job_id=job.id,
        user_id=job.request.user_id,
        minutes=minutes,
        period=period,
        allowance=allowance,
    )


def an_attempt(
    job: Job, provider: str = "finevoice", number: int = 1, **changes: object
) -> Attempt:
    attempt = Attempt(
        job_id=job.id,
        provider=provider,
        number=number,
        model="vocals",
        cost_minutes=4,
        submitted_at=NOW,
        updated_at=NOW,
    )
    return replace(attempt, **changes)  # type: ignore[arg-type] # replace() checks the names


async def lead(
    jobs: JobStore,
    state: State,
    *,
    job: Job | None = None,
    minutes: int = 4,
    title: str = "Neon Rain",
    frames: int = 4 * 60 * 44_100,
) -> Job:
    """Store a job, bring it to `state` with the saves that services make, and return it."""
    job = await jobs.add(job or a_job(), max_active=1000)
    if state is State.RECEIVED:
        return job
    job = job.acknowledged(NOW, message_id=21)
    await jobs.save(job, expected=State.RECEIVED)
    held = job.held(NOW, frames=frames, minutes=minutes, title=title)
    await jobs.save(held, expected=State.RECEIVED, ledger=a_hold(held, minutes))
    job = held
    for step, entry in _way_to(state, job):
        before, job = job.state, step(job)
        await jobs.save(
            job,
            expected=before,
            ledger=entry,
            reply_is_current=job.state is State.DELIVERED,
        )
    return job


async def make_stale(db: Database, job_id: JobId) -> None:
    """Mark the job's reply as stale without changing the job."""
    statement = "UPDATE jobs SET wanted_version = wanted_version + 1 WHERE id = ?"
    await db.write(lambda conn: conn.execute(statement, (job_id,)))


def _way_to(state: State, held: Job) -> list[Step]:
    submitting: Step = (lambda job: job.submitting(NOW, provider="finevoice"), None)
    processing: Step = (lambda job: job.processing(NOW), None)
    ready: Step = (lambda job: job.ready(NOW), Post(held.id))
    ways: dict[State, list[Step]] = {
        State.HELD: [],
        State.SUBMITTING: [submitting],
        State.PROCESSING: [submitting, processing],
        State.READY: [submitting, processing, ready],
        State.DELIVERED: [
            *(submitting, processing, ready),
            (
                lambda job: job.delivered(
                    NOW, message_id=21, sent=DeliveryDifference.LOWER_BIT_RATE
                ),
                None,
            ),
        ],
        State.KEPT: [submitting, processing, ready, (lambda job: job.kept(NOW), None)],
        State.FAILED: [(lambda job: job.failed(NOW, PROBLEM), Void(held.id))],
        State.CANCELLED: [(lambda job: job.cancelled(NOW, PROBLEM), Void(held.id))],
    }
    return ways[state]
