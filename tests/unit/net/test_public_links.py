"""The public addresses at which browsers can play the mixer page."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.net.public_links import LinkKind, SignedLinks, mixer_available
from storage.database.connection import Database
from storage.stores.meta import Meta
from tests.support.domain_factories import a_job
from tests.support.fakes import FakeClock

KEEP = timedelta(hours=24)


@pytest.mark.parametrize(
    "public_url",
    [
        "https://stems.example.org",
        "https://stems.example.org:8443/bot",
        "http://127.0.0.1:8421",
        "http://127.5.5.5",
        "http://[::1]:80",
        "http://localhost:8421",
        "http://stemcord.localhost",
    ],
)
def test_the_mixer_page_works_over_https_and_on_the_machine_itself(public_url: str) -> None:
    assert mixer_available(public_url)


@pytest.mark.parametrize(
    "public_url",
    [
        None,
        "",
        "http://192.168.1.20:8421",
        "http://stems.example.org",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://0.0.0.0:80",
        "ftp://127.0.0.1",
        "https://",
    ],
)
def test_elsewhere_browsers_refuse_what_it_needs(public_url: str | None) -> None:
    assert not mixer_available(public_url)


async def test_an_address_of_the_mixer_is_made_only_where_it_works(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "stemcord.db", durable=False)

    def links(base_url: str) -> SignedLinks:
        return SignedLinks(meta=Meta(db=database), clock=FakeClock(), base_url=base_url, keep=KEEP)

    job = a_job()
    assert await links("http://stems.example.org").to_mixer(job) is None
    link = await links("https://stems.example.org/x/").to_mixer(job)
    assert link is not None
    assert link.url.startswith(f"https://stems.example.org/x/m/{job.id}.")
    assert link.url.endswith("/")
    assert link.expires_at == job.updated_at + KEEP
    ticket = link.url.split("/")[-2]
    assert await links("").job_of(LinkKind.MIXER, ticket, "") == job.id
    assert await links("").job_of(LinkKind.RESULT, ticket, "") is None
    await database.close()
