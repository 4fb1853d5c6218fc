import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import Reason, Rejected
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.scenes import labels, made, offers, shows


async def test_a_song_comes_back_as_stems_in_the_one_reply(ada: SandboxClient, song: Path) -> None:
    answer = await ada.command("split", file=song)
    message = await ada.wait_for(lambda message: bool(message["attachments"]))
    assert message["id"] == answer["message_id"]
    [embed] = message["embeds"]
    assert embed["title"] == "Neon Rain · Karaoke"
    assert embed["description"] == (
        "Instrumental and vocals, 3:20, MP3\n4 min charged, 56 of 60 left today"
    )
    assert [attachment["filename"] for attachment in message["attachments"]] == [
        "Neon Rain (Instrumental).mp3",
        "Neon Rain (Vocals).mp3",
    ]
    assert "waveforms.png" in embed["image"]["url"], "the picture stands in the card"
    assert labels(message) == ["Key & speed", "Mix", "Delete"]
    assert offers(message) == ["flac", "zip:mp3", "clip", "dm", "recipe"]
    assert message["content"] == ""
    assert len(await ada.messages()) == 1


async def test_a_private_song_is_seen_by_nobody_else(
    ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    await ada.command("split", file=song, private=True)
    message = await ada.wait_for(lambda message: bool(message["attachments"]))
    assert message["ephemeral"]
    assert await ben.messages() == []


async def test_a_song_can_be_split_in_the_bots_dm(ada: SandboxClient, song: Path) -> None:
    ada.in_channel("dm")
    await ada.command("split", file=song, stems="vocals")
    message = await ada.wait_for(lambda message: bool(message["attachments"]))
    assert message["embeds"][0]["title"] == "Neon Rain · Vocals"


async def test_cancel_stops_ones_own_song_and_nobody_elses(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await ada.command("split", file=song)
    message = await ada.wait_for(shows("Sending the song"))
    await ben.press(message, "Cancel")
    refusal = await ben.wait_for(lambda found: bool(found["ephemeral"] and found["content"]))
    assert refusal["content"].startswith("I can't find that song among yours.")
    await ada.press(message, "Cancel")
    message = await ada.wait_for(shows("Nothing was charged."))
    assert message["embeds"][0]["description"] == "You cancelled this song.\nNothing was charged."
    assert message["components"] == []


async def test_jobs_are_listed_and_cancelled_by_command(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.downloads.gate = asyncio.Event()
    await ada.command("split", file=song)
    message = await ada.wait_for(shows("Neon Rain"))
    job_id = message["embeds"][0]["footer"]["text"]
    await ada.command("jobs")
    listed = await ada.wait_for(shows("Your songs"))
    assert listed["ephemeral"]
    assert listed["embeds"][0]["description"] == f"`{job_id}` **Neon Rain** · Karaoke: Starting"
    [choice] = await ada.autocomplete("cancel", "job", "neon")
    assert choice["value"] == job_id
    await ada.command("cancel", job=job_id.upper())
    said = await ada.wait_for(lambda found: "is cancelled" in found["content"])
    assert said["content"] == "**Neon Rain** is cancelled. Nothing was charged."
    assert await ada.autocomplete("cancel", "job", "") == []


async def test_the_list_of_jobs_cancels_and_says_so(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.downloads.gate = asyncio.Event()
    await ada.command("split", file=song)
    await ada.wait_for(shows("Neon Rain"))
    await ada.command("jobs")
    listed = await ada.wait_for(shows("Your songs"))
    [job] = await live_bot.jobs.unfinished()
    await ada.press(listed, f"Cancel {job.id}")
    await ada.wait_for(lambda found: "**Neon Rain** is cancelled." in found["content"])


async def test_a_wrong_request_is_answered_at_once_and_privately(
    ada: SandboxClient, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.mp3"
    empty.touch()
    await ada.command("split", file=empty)
    [message] = await ada.messages()
    assert message["ephemeral"]
    assert message["content"] == "This file is empty. Send it again, or another one."


async def test_a_failed_song_says_why_in_its_card(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.audio.decode_error = Rejected(Reason.BROKEN_FILE)
    await ada.command("split", file=song)
    message = await ada.wait_for(shows("Nothing was charged."))
    assert "damaged or incomplete" in message["embeds"][0]["description"]


async def test_quota_and_help_answer_one_person(ada: SandboxClient, ben: SandboxClient) -> None:
    await ada.command("quota")
    await ada.command("help")
    quota, about = await ada.messages()
    assert quota["ephemeral"]
    assert "**60 of 60 min left** today" in quota["embeds"][0]["description"]
    assert "Karaoke" in about["embeds"][0]["description"]
    assert await ben.messages() == []


async def test_providers_are_suggested_for_the_chosen_stems(ada: SandboxClient) -> None:
    assert await ada.autocomplete("split", "provider", "stem", stems="karaoke") == [
        {"name": "Stemcord", "value": "local"}
    ]


async def test_a_callback_whose_connection_breaks_is_made_again(
    ada: SandboxClient, song: Path
) -> None:
    await ada.fault("POST /interactions/*", reset=True, after=True, times=1)
    await ada.command("split", file=song)
    await ada.wait_for(lambda message: bool(message["attachments"]))


async def test_buttons_work_after_a_restart(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.downloads.gate = asyncio.Event()
    await ada.command("split", file=song)
    message = await ada.wait_for(lambda found: bool(found["components"]))
    state: Any = live_bot.client._connection
    state._view_store._synced_message_views.clear()
    state._view_store._views.clear()
    await ada.press(message, "Cancel")
    await ada.wait_for(shows("You cancelled this song."))


async def test_a_token_that_discord_forgets_for_a_moment_is_not_given_up(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await ada.command("split", file=song, private=True)
    await ada.wait_for(shows("Sending the song"))
    await ada.fault("PATCH /webhooks/*", status=404, code=10015, times=1)
    live_bot.provider.gate.set()
    await ada.wait_for(lambda message: bool(message["attachments"]))


@pytest.mark.slow  # the services wait two seconds before they retry
async def test_stems_wait_for_a_discord_that_is_away(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await ada.command("split", file=song)
    await ada.wait_for(shows("Sending the song"))
    await ada.fault("PATCH /webhooks/*", reset=True)
    live_bot.provider.gate.set()
    async with asyncio.timeout(30):
        while not any(entry["status"] is None for entry in await ada.log()):
            await asyncio.sleep(0.01)
    await ada.clear_faults()
    await ada.wait_for(lambda message: bool(message["attachments"]))


async def test_an_acknowledgement_that_only_discord_knows_of_is_found(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    await ada.fault("POST /interactions/*/callback", after=True, reset=True, times=2)
    message = await made(live_bot, ada, song)
    assert len(await ada.messages()) == 1
    assert labels(message)[0] == "Key & speed"
