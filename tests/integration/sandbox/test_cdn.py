"""File addresses are signed, expiring, renewable, and invalid once the file is deleted."""

from collections.abc import Callable

import pytest

from sandbox.client import SandboxClient
from tests.integration.sandbox.raw_bot import RawBot, form

DAY_S = 24 * 3600


async def sent_url(bot: RawBot, channel: str, content: bytes = b"0123456789") -> str:
    _, message = await bot.ask("POST", f"{channel}/messages", data=form({}, ("a.mp3", content)))
    return str(message["attachments"][0]["url"])


async def status_of(bot: RawBot, url: str) -> int:
    async with bot.http.get(url) as response:
        return response.status


async def test_file_has_its_type_and_can_be_read_in_part(raw_bot: RawBot, karaoke: str) -> None:
    url = await sent_url(raw_bot, karaoke)
    async with raw_bot.http.get(url, headers={"Range": "bytes=2-4"}) as response:
        assert response.status == 206
        assert await response.read() == b"234"
        assert response.headers["Content-Type"] == "audio/mpeg"


async def test_address_expires_by_the_sandbox_clock_and_can_be_renewed(
    raw_bot: RawBot, karaoke: str, ada: SandboxClient
) -> None:
    url = await sent_url(raw_bot, karaoke)
    await ada.advance(DAY_S - 60)
    assert await status_of(raw_bot, url) == 200
    await ada.advance(61)
    assert await status_of(raw_bot, url) == 404
    addresses = {"attachment_urls": [url]}
    _, answer = await raw_bot.ask("POST", "/attachments/refresh-urls", addresses)
    assert await status_of(raw_bot, answer["refreshed_urls"][0]["refreshed"]) == 200


async def test_fetching_the_message_signs_its_files_afresh(
    raw_bot: RawBot, karaoke: str, ada: SandboxClient
) -> None:
    await sent_url(raw_bot, karaoke)
    await ada.advance(DAY_S + 1)
    _, [message] = await raw_bot.ask("GET", f"{karaoke}/messages")
    assert await status_of(raw_bot, message["attachments"][0]["url"]) == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url.partition("?")[0],
        lambda url: url.replace("?ex=", "?ex=f"),
        lambda url: url.replace("a.mp3", "b.mp3"),
        lambda url: url.replace("hm=", "hm=é"),
    ],
)
async def test_address_that_was_tampered_with_is_dead(
    raw_bot: RawBot, karaoke: str, spoil: Callable[[str], str]
) -> None:
    assert await status_of(raw_bot, spoil(await sent_url(raw_bot, karaoke))) == 404


async def test_file_is_gone_with_its_message(raw_bot: RawBot, karaoke: str) -> None:
    url = await sent_url(raw_bot, karaoke)
    _, [message] = await raw_bot.ask("GET", f"{karaoke}/messages")
    status, _ = await raw_bot.ask("DELETE", f"{karaoke}/messages/{message['id']}")
    assert status == 204
    assert await status_of(raw_bot, url) == 404


async def test_files_beyond_the_disk_allowance_are_refused(raw_bot: RawBot, karaoke: str) -> None:
    raw_bot.sandbox.media.capacity_bytes = 15
    await sent_url(raw_bot, karaoke)
    data = form({}, ("b.mp3", b"0123456789"))
    assert await raw_bot.refused("POST", f"{karaoke}/messages", data=data) == 40005
