"""Expired attachment addresses, which Discord refreshes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Source
from bot.scheduling.sources import RenewalUnavailable
from bot.ui.attachments.attachment_urls import AttachmentUrls
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot

REFRESH = "POST /attachments/refresh-urls"
FETCH = "GET /channels/*/messages/*"
A_DAY_S = 86_400


@pytest.fixture
def addresses(live_bot: LiveBot) -> AttachmentUrls:
    return AttachmentUrls(client=live_bot.client, quick_s=0.1)


@pytest.fixture
async def ended(ada: SandboxClient, song: Path) -> Source:
    """A song in a message, with an expired address."""
    await ada.say("listen to this", song)
    message = (await ada.messages())[-1]
    [file] = message["attachments"]
    await ada.advance(2 * A_DAY_S)
    return Source(
        filename="Neon Rain.mp3",
        url=file["url"],
        size_bytes=file["size"],
        message_id=int(message["id"]),
    )


async def paths_asked(people: SandboxClient) -> list[str]:
    return [entry["path"] for entry in await people.log()]


async def test_discord_signs_an_address_anew(
    addresses: AttachmentUrls, ended: Source, ada: SandboxClient
) -> None:
    fresh = await addresses.renewed(ended)
    assert fresh.url != ended.url
    assert fresh == replace(ended, url=fresh.url)
    assert not [path for path in await paths_asked(ada) if "/messages/" in path]


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_file_that_discord_does_not_sign_is_found_in_its_message(
    addresses: AttachmentUrls, ended: Source, ada: SandboxClient, status: int
) -> None:
    await ada.fault(REFRESH, status=status)
    assert (await addresses.renewed(ended)).url.split("?")[0] == ended.url.split("?")[0]
    with pytest.raises(Rejected):
        await addresses.renewed(replace(ended, message_id=None))


async def test_a_file_that_is_in_no_message_any_more_is_gone(
    addresses: AttachmentUrls, ended: Source, ada: SandboxClient
) -> None:
    await ada.delete(str(ended.message_id))
    with pytest.raises(Rejected) as refused:
        await addresses.renewed(ended)
    assert refused.value.problem.reason is Reason.SOURCE_GONE


@pytest.mark.parametrize("trouble", [{"status": 503}, {"reset": True}], ids=["503", "reset"])
async def test_a_discord_that_is_away_has_lost_nothing(
    addresses: AttachmentUrls,
    ended: Source,
    ada: SandboxClient,
    live_bot: LiveBot,
    trouble: dict[str, Any],
) -> None:
    await ada.fault(REFRESH, **trouble)
    with pytest.raises(RenewalUnavailable):
        await addresses.renewed(ended)
    assert await addresses.with_live_url(ended, now=live_bot.clock.now()) == ended


async def test_what_takes_too_long_is_left_as_it_is(
    addresses: AttachmentUrls, ended: Source, ada: SandboxClient, live_bot: LiveBot
) -> None:
    await ada.fault(REFRESH, delay_s=30.0)
    assert await addresses.with_live_url(ended, now=live_bot.clock.now()) == ended
