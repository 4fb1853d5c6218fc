"""The bot's own links and follow-up messages, from the card to the downloaded file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.job import State
from bot.domain.recipes import AudioFormat
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot, open_live_bot
from tests.integration.conversations.open_bot import Open
from tests.integration.conversations.scenes import (
    Message,
    filenames,
    job_id_of,
    labels,
    offers,
    shows,
    until_nothing_is_owed,
)
from tests.integration.conversations.test_privacy import forget
from tests.unit.delivery.test_encoder import SIX

MIB = 1024 * 1024


@pytest.fixture
async def ada(opened: Open) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(opened.live_bot.sandbox.base_url) as client:
        yield client


def links_in(message: Message) -> list[str]:
    lines = str(message["embeds"][0]["description"]).splitlines()
    return [line.partition("](")[2].partition(")")[0] for line in lines if line.startswith("[")]


async def linked(opened: Open, ada: SandboxClient, song: Path, **options: Any) -> Message:
    opened.live_bot.audio.bytes_at = {AudioFormat.WAV: 35 * MIB}
    await ada.command("split", file=song, format="wav", **options)
    message = await ada.wait_for(shows("expires"))
    await until_nothing_is_owed(opened.live_bot)
    return message


async def test_what_does_not_fit_is_fetched_by_the_cards_links(
    opened: Open, ada: SandboxClient, song: Path
) -> None:
    message = await linked(opened, ada, song)
    description = message["embeds"][0]["description"]
    assert description.startswith("Instrumental and vocals, 3:20, WAV\n[Instrumental, WAV](https")
    assert "expires <t:" in description
    assert filenames(message) == []
    assert "flac" in offers(message)
    for url, saved_as in zip(links_in(message), ["Instrumental", "Vocals"], strict=True):
        status, body, headers = await opened.fetch(url)
        assert (status, body) == (200, b"song")
        assert headers["Content-Type"] == "audio/wav"
        assert f'filename="Neon Rain ({saved_as}).wav"' in headers["Content-Disposition"]


async def test_links_end_with_retention(opened: Open, ada: SandboxClient, song: Path) -> None:
    [url, _] = links_in(await linked(opened, ada, song))
    await ada.advance(24 * 3600 + 60)
    assert (await opened.fetch(url))[0] == 410
    await opened.live_bot.services.retention.sweep()
    assert (await opened.fetch(url))[0] == 410


async def test_links_end_with_deletion(opened: Open, ada: SandboxClient, song: Path) -> None:
    message = await linked(opened, ada, song)
    [url, _] = links_in(message)
    await ada.press(message, "Delete")
    for _ in range(100):
        if (status := (await opened.fetch(url))[0]) == 410:
            break
    assert status == 410


async def test_links_end_with_being_forgotten(opened: Open, ada: SandboxClient, song: Path) -> None:
    [url, _] = links_in(await linked(opened, ada, song))
    await forget(ada)
    await ada.wait_for(shows("All your data is deleted"))
    assert (await opened.fetch(url))[0] == 410


async def test_a_showing_again_leads_to_the_same_files(
    opened: Open, ada: SandboxClient, song: Path
) -> None:
    message = await linked(opened, ada, song)
    await ada.command("result", job=job_id_of(message))
    again = await ada.wait_for(
        lambda found: shows("expires")(found) and found["id"] != message["id"]
    )
    assert links_in(again) == links_in(message)


@pytest.fixture
async def six(tmp_path: Path) -> AsyncIterator[LiveBot]:
    async with open_live_bot(tmp_path, models=(SIX,)) as live_bot, live_bot.on():
        # The uploaded files are small anyway, so the sandbox accepts them.
        live_bot.audio.bytes_at = {AudioFormat.MP3: 7 * MIB}
        yield live_bot


SIX_NAMES = ["Vocals", "Drums", "Bass", "Guitar", "Piano", "Other"]


@pytest.mark.parametrize("private", [False, True])
async def test_six_stems_come_in_two_messages(six: LiveBot, song: Path, private: bool) -> None:
    async with SandboxClient(six.sandbox.base_url) as ada:
        await ada.command("split", file=song, stems="6-stems", private=private)
        rest = await ada.wait_for(shows("The rest of the stems"))
        [first, second] = await ada.messages()
        assert second["id"] == rest["id"]
        names = [f"Neon Rain ({name}).mp3" for name in SIX_NAMES]
        assert (filenames(first), filenames(second)) == (names[:3], names[3:])
        assert first["ephemeral"] is second["ephemeral"] is private
        assert labels(second) == ["Delete"]
        await until_nothing_is_owed(six)
        [job] = await six.records()
        assert job.state is State.DELIVERED


async def test_where_no_second_message_is_taken_all_six_share_one(six: LiveBot, song: Path) -> None:
    async with SandboxClient(six.sandbox.base_url) as ada:
        await ada.fault("POST /channels/*/messages", status=403, code=50013)
        await ada.fault("POST /webhooks/*", status=403, code=50013)
        six.audio.bytes_at = {AudioFormat.MP3: 4 * MIB}
        await ada.command("split", file=song, stems="6-stems")
        await ada.wait_for(lambda message: len(message["attachments"]) == 6)
        assert len(await ada.messages()) == 1


async def test_the_second_message_is_deleted_by_its_own_button(six: LiveBot, song: Path) -> None:
    async with SandboxClient(six.sandbox.base_url) as ada:
        await ada.command("split", file=song, stems="6-stems")
        rest = await ada.wait_for(shows("The rest of the stems"))
        await until_nothing_is_owed(six)
        await ada.press(rest, "Delete")
        async with asyncio.timeout(30):
            while len(await ada.messages()) > 1:
                await asyncio.sleep(0.01)
