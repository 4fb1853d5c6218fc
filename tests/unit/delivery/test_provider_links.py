"""A vendor's own address is shown for files that fit nowhere else, if it is presentable."""

import pytest

from bot.delivery.provider_links import LONGEST_URL, ProviderLinks
from bot.domain.attempt import Attempt, AttemptState, RemoteFile
from bot.domain.job import JobId, State
from bot.domain.recipes import Stem
from tests.support.card_factories import a_job
from tests.support.domain_factories import an_attempt
from tests.support.fakes import FakeClock, FakeProvider

VOCALS = "https://cdn.example/vocals.wav?sig=a%2Fb"


class Attempts:
    """A store with one attempt."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    async def attempts(self, job_id: JobId) -> list[Attempt]:
        return [self._attempt]


async def shown(instrumental: str) -> dict[Stem, str]:
    """Return the links shown when a vendor returns this address and a plain one."""
    job = a_job(State.READY)
    files = (RemoteFile(VOCALS, Stem.VOCALS), RemoteFile(instrumental, Stem.INSTRUMENTAL))
    attempt = an_attempt(job, "fake", state=AttemptState.DONE, model="two", files=files)
    links = ProviderLinks(
        jobs=Attempts(attempt),  # type: ignore[arg-type] # matches by shape
        providers={"fake": FakeProvider()},
        clock=FakeClock(),
    )
    return {stem: link.url for stem, link in (await links.of(job)).items()}


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example/b.wav",
        "https://cdn.example/b.wav?X-Amz-Date=20261120T110000&X-Amz-Expires=86400",
    ],
    ids=["plain", "a date without a zone"],
)
async def test_an_address_that_can_be_shown_is(url: str) -> None:
    assert await shown(url) == {Stem.INSTRUMENTAL: url, Stem.VOCALS: VOCALS}


@pytest.mark.parametrize(
    "url",
    [
        "https://[x",
        "https://cdn.example/b.wav) [free](https://evil.example",
        "https://cdn.example/b\n# Free Nitro",
        "https://discord.com@evil.example/b.wav",
        "http://cdn.example/b.wav",
        "https://cdn.example/" + "b" * LONGEST_URL,
        "https://cdn.example/b.wav?Expires=1",
    ],
)
async def test_one_bad_address_costs_its_own_link_alone(url: str) -> None:
    assert await shown(url) == {Stem.VOCALS: VOCALS}
