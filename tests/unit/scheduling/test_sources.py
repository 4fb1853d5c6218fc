"""The addresses from which the bot and providers fetch songs when Discord's addresses expire."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, Source, State
from bot.net.downloads import DownloadRefused
from bot.scheduling.sources import RenewalUnavailable, Sources
from tests.support.fakes import FakeClock, FakeDownloads, FakeProvider
from tests.support.harness import REQUEST, Harness

HERE = {"public_url": "https://stems.example.org"}


def signed(until: datetime) -> str:
    return f"https://cdn.invalid/attachments/1/2/a.mp3?ex={int(until.timestamp()):x}&hm=1"


@dataclass
class FakeRenewal:
    """Refreshes addresses, unless the test makes it fail."""

    fresh_url: str | None = None
    asked: list[str] = field(default_factory=list)
    away: int = 0
    """How many calls fail before Discord is reachable."""

    async def renewed(self, source: Source) -> Source:
        self.asked.append(source.url)
        if self.away:
            self.away -= 1
            raise RenewalUnavailable("status 503")
        if self.fresh_url is None:
            raise Rejected(Reason.SOURCE_GONE)
        return replace(source, url=self.fresh_url)


async def split(
    root: Path, *, ends_in: timedelta, renewal: FakeRenewal | None = None, **settings: Any
) -> tuple[Harness, FakeProvider, Job]:
    """Split a song whose address expires after this time, and return the outcome."""
    provider, clock = FakeProvider("hosted"), FakeClock()
    harness = await Harness.build(root, provider, clock=clock, renewal=renewal, **settings)
    source = replace(REQUEST.source, url=signed(clock.now() + ends_in))
    job = await harness.split(source=source)
    job = await harness.until(job.id)
    await harness.close()
    return harness, provider, job


async def test_discords_address_is_given_while_it_lives(tmp_path: Path) -> None:
    renewal = FakeRenewal()
    _, provider, job = await split(tmp_path, ends_in=timedelta(hours=1), renewal=renewal, **HERE)
    assert provider.sources[0].url == job.request.source.url
    assert renewal.asked == []


async def test_one_of_our_own_is_given_after_it(tmp_path: Path) -> None:
    renewal = FakeRenewal()
    _, provider, job = await split(tmp_path, ends_in=timedelta(minutes=4), renewal=renewal, **HERE)
    assert job.state is State.DELIVERED
    url = provider.sources[0].url
    assert url is not None
    assert url.startswith(f"https://stems.example.org/s/{job.id}.")
    assert url.endswith("/song.mp3")
    assert renewal.asked == [], "nobody need be asked"


async def test_without_those_discord_is_asked_to_sign_again_once(tmp_path: Path) -> None:
    fresh = signed(FakeClock().now() + timedelta(days=1))
    renewal = FakeRenewal(fresh)
    _, provider, job = await split(tmp_path, ends_in=timedelta(minutes=4), renewal=renewal)
    assert job.state is State.DELIVERED
    assert [source.url for source in provider.sources] == [fresh]
    assert len(renewal.asked) == 1
    assert job.request.source.url == fresh


@pytest.mark.parametrize("renewal", [None, FakeRenewal()])
async def test_without_any_address_the_song_must_be_sent_again(
    tmp_path: Path, renewal: FakeRenewal | None
) -> None:
    _, provider, job = await split(tmp_path, ends_in=timedelta(minutes=4), renewal=renewal)
    assert provider.sources == []
    assert job.state is State.FAILED
    assert job.problem is not None
    assert job.problem.reason is Reason.DOWNLOAD_FAILED


@pytest.mark.parametrize(("away", "is_found"), [(2, True), (3, False)])
async def test_a_discord_that_is_away_is_asked_again(
    harness: Harness, away: int, is_found: bool
) -> None:
    fresh = signed(harness.clock.now() + timedelta(days=1))
    renewal = FakeRenewal(fresh, away=away)
    job = await harness.receive(source=replace(REQUEST.source, url=signed(harness.clock.now())))
    sources = Sources(
        jobs=harness.jobs,
        files=harness.files,
        clock=harness.clock,
        renewal=renewal,
        ask_again_after_s=(0.0, 0.0),
    )
    assert await sources.address_of(job) == (fresh if is_found else None)
    assert len(renewal.asked) == 3


async def bring(root: Path, renewal: FakeRenewal, *errors: Exception) -> tuple[Job, FakeDownloads]:
    """Split a song whose download first raises these errors."""
    harness = await Harness.build(root, renewal=renewal)
    harness.downloads.errors = list(errors)
    job = await harness.split()
    async with asyncio.timeout(5):
        while not (await harness.job(job.id)).state.is_final:
            harness.services.runner.wake(job.id)
            await asyncio.sleep(0.005)
    done = await harness.job(job.id)
    await harness.close()
    return done, harness.downloads


ENDED = DownloadRefused("status 404", status=404)


async def test_a_song_whose_address_ended_while_nobody_was_here_is_fetched_all_the_same(
    tmp_path: Path,
) -> None:
    renewal = FakeRenewal("https://cdn.invalid/fresh.mp3")
    job, downloads = await bring(tmp_path, renewal, ENDED)
    assert job.state is State.DELIVERED
    assert downloads.urls == [REQUEST.source.url, "https://cdn.invalid/fresh.mp3"]
    assert job.request.source.url == "https://cdn.invalid/fresh.mp3"


async def test_an_address_that_cannot_be_renewed_now_is_renewed_later(tmp_path: Path) -> None:
    renewal = FakeRenewal("https://cdn.invalid/fresh.mp3", away=1)
    job, downloads = await bring(tmp_path, renewal, ENDED, ENDED)
    assert job.state is State.DELIVERED
    assert downloads.urls[-1] == "https://cdn.invalid/fresh.mp3"


@pytest.mark.parametrize(
    ("renewal", "errors", "reason"),
    [
        (FakeRenewal(), [ENDED], Reason.SOURCE_GONE),
        (FakeRenewal("https://cdn.invalid/fresh.mp3"), [ENDED, ENDED], Reason.DOWNLOAD_FAILED),
        (FakeRenewal("unasked"), [DownloadRefused("an encoded body")], Reason.DOWNLOAD_FAILED),
    ],
    ids=["gone", "refused by its fresh address too", "refused for something else"],
)
async def test_a_song_that_is_not_to_be_had_fails(
    tmp_path: Path, renewal: FakeRenewal, errors: list[Exception], reason: Reason
) -> None:
    job, downloads = await bring(tmp_path, renewal, *errors)
    assert job.problem is not None
    assert job.problem.reason is reason
    assert "unasked" not in downloads.urls
