"""Where a hosted provider is told to fetch the song, as Discord's own address comes to its end."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, Source, State
from tests.fakes import FakeClock, FakeProvider
from tests.services.house import REQUEST, House

HERE = {"public_url": "https://stems.example.org"}


def signed(until: datetime) -> str:
    return f"https://cdn.invalid/attachments/1/2/a.mp3?ex={int(until.timestamp()):x}&hm=1"


@dataclass
class FakeRenewal:
    """Has addresses signed anew, as long as it is told to."""

    fresh_url: str | None = None
    asked: list[str] = field(default_factory=list)

    async def renewed(self, source: Source, *, now: datetime) -> Source:
        self.asked.append(source.url)
        if self.fresh_url is None:
            raise Rejected(Reason.SOURCE_GONE)
        return replace(source, url=self.fresh_url)


async def split(
    root: Path, *, ends_in: timedelta, renewal: FakeRenewal | None = None, **settings: Any
) -> tuple[House, FakeProvider, Job]:
    """Have a song split whose address ends so soon; return what came of it."""
    provider, clock = FakeProvider("hosted"), FakeClock()
    house = await House.build(root, provider, clock=clock, renewal=renewal, **settings)
    source = replace(REQUEST.source, url=signed(clock.now() + ends_in))
    job = await house.split(source=source)
    job = await house.until(job.id)
    await house.close()
    return house, provider, job


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
