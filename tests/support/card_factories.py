"""Factories of jobs, deliveries and statistics for user interface tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from bot.admin.overview import Figures, ProviderState, Stats
from bot.delivery.port import Delivery, DeliveryFile
from bot.domain.attempt import AttemptState
from bot.domain.job import Context, Job, JobId, Reply, Request, Source, State, UserId
from bot.domain.minutes import SAMPLE_RATE, Usage
from bot.domain.periods import PeriodKind, period_at
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.domain.titles import stem_filename
from storage.stores.statistics import Turnover
from storage.stores.vendor_spending import ProviderUsage

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ADA = UserId(1)

_interactions = count(1000)

BOOK = ProviderUsage(
    attempts={AttemptState.DONE: 3},
    minutes={AttemptState.DONE: 10, AttemptState.UNCERTAIN: 3, AttemptState.ABANDONED: 4},
)

REQUEST = Request(
    user_id=ADA,
    source=Source(filename="Neon Rain.mp3", url="https://cdn.invalid/a.mp3", size_bytes=5_000_000),
    recipe=Recipe.KARAOKE,
    audio_format=AudioFormat.MP3,
)
REPLY = Reply(
    channel_id=5,
    context=Context.GUILD,
    application_id=6,
    guild_id=7,
    message_id=70,
    token="secret",
    token_expires_at=NOW + timedelta(minutes=15),
)


def a_job(state: State = State.RECEIVED, **changes: Any) -> Job:
    """Return one of Ada's jobs, with `changes` to fields of Job."""
    job = Job(
        id=JobId("k7f2q"),
        interaction_id=next(_interactions),
        request=REQUEST,
        reply=REPLY,
        state=state,
        created_at=NOW,
        updated_at=NOW,
        acknowledged_at=NOW,
        title="Neon Rain",
        frames=222 * SAMPLE_RATE,
        minutes=4,
    )
    return replace(job, **changes)


def a_usage(**changes: Any) -> Usage:
    """Return an account with 41 of 60 minutes left."""
    fields: dict[str, Any] = {
        "allowance": 60,
        "granted": 0,
        "used": 19,
        "held": 0,
        "period": period_at(NOW, PeriodKind.DAY),
    }
    return Usage(**{**fields, **changes})


def a_delivery(folder: Path, *, title: str = "Neon Rain", **changes: Any) -> Delivery:
    """Write two stems and a picture to disk, and return them as a delivery."""
    files = []
    for stem in (Stem.INSTRUMENTAL, Stem.VOCALS):
        path = folder / stem_filename(title, stem, AudioFormat.MP3)
        path.write_bytes(b"sound")
        files.append(DeliveryFile(path=path, filename=path.name, stem=stem, size_bytes=5))
    picture = folder / "waveforms.png"
    picture.write_bytes(b"png")
    fields: dict[str, Any] = {
        "files": tuple(files),
        "picture": picture,
        "audio_format": AudioFormat.MP3,
        "usage": a_usage(),
    }
    return Delivery(**{**fields, **changes})


def a_provider(**changes: Any) -> ProviderState:
    """Return a provider's status."""
    return replace(ProviderState(title="FineVoice", book=ProviderUsage()), **changes)


def stats(kind: PeriodKind = PeriodKind.DAY, **changes: Any) -> Stats:
    """Return the owner's statistics of a day with ten songs."""
    today = Figures(jobs={State.DELIVERED: 8, State.FAILED: 2}, submitted=60)
    fields: dict[str, Any] = {
        "period": period_at(NOW, kind),
        "today": today,
        "this_period": today,
        "turnover": Turnover(held=8, used=120, given_back=14),
        "daily_cap": None,
        "reasons": [],
        "errors": [],
    }
    return Stats(**{**fields, **changes})
