"""The buttons and menus of cards, and who can use them."""

import asyncio
from pathlib import Path

import pytest

from bot.domain.errors import ProviderRefused
from sandbox.client import SandboxClient, SandboxRefused
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.scenes import (
    Message,
    filenames,
    has_stems,
    job_id_of,
    labels,
    made,
    menu_of,
    more,
    offers,
    person,
    says,
    settle_outside,
    shows,
    until_nothing_is_owed,
    until_sent,
)
from tests.integration.conversations.test_renditions import nothing_is_open

REFUSAL = "I can't find that song among yours. See them with `/jobs`."


async def until_there_are(people: SandboxClient, count: int) -> list[Message]:
    """Wait until a channel has the given number of messages with stems."""
    async with asyncio.timeout(30):
        while True:
            found = [each for each in await people.messages() if has_stems(each)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)


async def test_stems_come_again_in_another_format(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await more(ada, message, "flac")
    _, again = await until_there_are(ada, 2)
    assert filenames(again) == ["Neon Rain (Instrumental).flac", "Neon Rain (Vocals).flac"]
    assert again["embeds"][0]["description"] == "Instrumental and vocals, 3:20, FLAC"
    assert again["ephemeral"]
    assert offers(again) == ["mp3", "zip:flac", "clip", "dm", "recipe"]
    assert len(live_bot.provider.submits) == 1
    usage = await live_bot.services.quotas.usage(live_bot.user_id("Ada"))
    assert usage.used == 4, "charged once"


async def test_stems_go_to_ones_dm(live_bot: LiveBot, ada: SandboxClient, song: Path) -> None:
    await more(ada, await made(live_bot, ada, song), "dm")
    await ada.wait_for(says("The stems are in your direct messages."))
    ada.in_channel("dm")
    [message] = await until_there_are(ada, 1)
    assert "dm" not in offers(message)


async def test_whoever_takes_no_direct_messages_is_told(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.sandbox.world.change_user(
        person(live_bot, "Ada").id, accepts_dms=False, installed_app=False
    )
    await more(ada, message, "dm")
    await ada.wait_for(says("Discord doesn't let me message you."))


async def test_delete_takes_the_message_and_the_files(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    job_id = job_id_of(message)
    await ada.press(message, "Delete")
    async with asyncio.timeout(30):
        while await ada.messages():
            await asyncio.sleep(0.01)
    [job] = await live_bot.jobs.of_user(live_bot.user_id("Ada"), 5)
    assert job.files_expired
    assert not live_bot.files.of(job.id).path.exists()
    await ada.command("result", job=job_id)
    await ada.wait_for(says("These stems have been deleted."))


async def test_another_recipe_is_another_job_of_the_same_song(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await more(ada, message, "recipe")
    asked = await ada.wait_for(says("What should I make from it?"))
    assert asked["ephemeral"]
    menu = menu_of(asked)
    assert [each["value"] for each in menu["options"]] == ["instrumental", "vocals"]
    await ada.press(asked, menu["custom_id"], values=["vocals"])
    _, other = await until_there_are(ada, 2)
    assert other["embeds"][0]["title"] == "Neon Rain · Vocals"
    assert not other["ephemeral"]


async def test_a_song_whose_address_has_ended_is_signed_anew(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ada.advance(2 * 86_400)
    await more(ada, message, "recipe")
    asked = await ada.wait_for(says("What should I make from it?"))
    await ada.press(asked, menu_of(asked)["custom_id"], values=["vocals"])
    await until_there_are(ada, 2)
    assert any(entry["path"] == "/attachments/refresh-urls" for entry in await ada.log())


async def test_a_song_that_discord_has_forgotten_is_asked_for_again(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ada.advance(2 * 86_400)
    await ada.fault("POST /attachments/refresh-urls", status=404)
    await more(ada, message, "recipe")
    asked = await ada.wait_for(says("What should I make from it?"))
    await ada.press(asked, menu_of(asked)["custom_id"], values=["vocals"])
    await ada.wait_for(says("Please send it again."))


async def test_a_failed_song_can_be_tried_again(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.provider.on_submit.append(ProviderRefused("no"))
    await ada.command("split", file=song)
    message = await ada.wait_for(shows("Nothing was charged."))
    assert labels(message) == ["Try again"]
    await ada.press(message, "Try again")
    again = await ada.wait_for(has_stems)
    assert again["id"] != message["id"]


async def test_the_same_file_and_recipe_show_the_stems_again_uncharged(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    live_bot.downloads.song = b"the very same"
    first = await made(live_bot, ada, song)
    await ada.command("split", file=song, format="flac")
    _, second = await until_there_are(ada, 2)
    assert job_id_of(second) != job_id_of(first)
    assert second["embeds"][0]["description"] == (
        "Instrumental and vocals, 3:20, FLAC\nYou already had these stems, so nothing was charged."
    )
    await ada.command("split", file=song, stems="vocals")
    await until_there_are(ada, 3)
    await ben.command("split", file=song)
    await until_there_are(ben, 4)
    assert len(live_bot.provider.submits) == 3, "another recipe and another user are no repeats"
    assert (await live_bot.services.quotas.usage(live_bot.user_id("Ada"))).used == 8


async def test_stems_of_a_deleted_job_are_made_anew(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.downloads.song = b"the very same"
    await ada.press(await made(live_bot, ada, song), "Delete")
    async with asyncio.timeout(30):
        while await ada.messages():
            await asyncio.sleep(0.01)
    await made(live_bot, ada, song)
    assert len(live_bot.provider.submits) == 2


async def test_a_private_result_is_shown_to_one_person_whatever_they_press(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song, private=True)
    await more(ada, message, "flac")
    _, again = await until_there_are(ada, 2)
    assert again["ephemeral"]
    async with asyncio.timeout(30):
        # The first redelivery may not have ended, and only one runs at a time.
        while len(found := list(filter(has_stems, await ada.messages()))) < 3:
            await ada.command("result", job=job_id_of(message))
            await asyncio.sleep(0.5)
    assert all(each["ephemeral"] for each in found)
    assert await ben.messages() == []


async def test_what_was_split_in_the_dm_is_shown_to_one_person_in_a_server(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    ada.in_channel("dm")
    job_id = job_id_of(await made(live_bot, ada, song))
    ada.in_channel("karaoke")
    await ada.command("result", job=job_id)
    [message] = await until_there_are(ada, 1)
    assert message["ephemeral"]
    assert await ben.messages() == []


@pytest.mark.parametrize("place", ["group", "private DM"])
async def test_what_was_split_among_friends_is_shown_to_one_person_in_a_server(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path, place: str
) -> None:
    among_friends = settle_outside(live_bot, place)
    ada.in_channel(among_friends)
    job_id = job_id_of(await made(live_bot, ada, song))
    ada.in_channel("karaoke")
    await ada.command("result", job=job_id)
    [message] = await until_there_are(ada, 1)
    assert message["ephemeral"]
    assert await ben.messages() == []
    ada.in_channel(among_friends)
    await nothing_is_open(live_bot)
    await ada.command("result", job=job_id)
    assert not (await until_there_are(ada, 2))[-1]["ephemeral"]


async def test_a_server_with_private_answers_gets_no_public_result(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ada.command("admin defaults", private=True)
    await ada.wait_for(shows("visible only to the person who asks"))
    await ada.command("result", job=job_id_of(message))
    assert (await until_there_are(ada, 2))[-1]["ephemeral"]


async def test_result_shows_how_far_an_unfinished_song_is(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await ada.command("split", file=song)
    await until_sent(live_bot)
    [job] = await live_bot.jobs.unfinished()
    await ada.command("result", job=f"`{job.id.upper()}` ")
    message = await ada.wait_for(lambda found: bool(found["ephemeral"]))
    assert job_id_of(message) == job.id
    assert labels(message) == ["Cancel"]
    assert await ada.autocomplete("result", "job", "") == []


async def test_a_song_is_shown_again_from_the_list(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    await ada.command("jobs")
    listed = await ada.wait_for(shows("Your songs"))
    await ada.press(listed, menu_of(listed)["custom_id"], values=[job_id])
    await until_there_are(ada, 2)


async def test_one_wish_at_a_time(live_bot: LiveBot, ada: SandboxClient, song: Path) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await more(ada, message, "flac")
    await more(ada, message, "dm")
    await ada.wait_for(says("I'm still working on your last request."))
    live_bot.audio.gate.set()
    await until_there_are(ada, 2)


async def test_stems_deleted_while_they_are_shown_are_said_to_be_gone(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await more(ada, message, "flac")
    [job] = await live_bot.jobs.of_user(live_bot.user_id("Ada"), 5)
    await live_bot.services.redelivery.discard(job)
    live_bot.audio.gate.set()
    await ada.wait_for(says("These stems have been deleted."))


async def test_a_showing_that_discord_finds_too_large_comes_smaller(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ada.fault("PATCH /webhooks/*", status=413, code=40005, times=1)
    await ada.command("result", job=job_id_of(message))
    await until_there_are(ada, 2)


async def test_a_manager_cancels_in_their_server_and_deletes_cards_but_no_files(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ben, song)
    await ada.press(message, "Delete")
    async with asyncio.timeout(30):
        while any(map(has_stems, await ben.messages())):
            await asyncio.sleep(0.01)
    [job] = await live_bot.jobs.of_user(live_bot.user_id("Ben"), 5)
    assert job.has_stems
    live_bot.downloads.gate = asyncio.Event()
    await ben.command("split", file=song)
    message = await ada.wait_for(shows("Getting your file"))
    await ada.press(message, "Cancel")
    message = await ben.wait_for(shows("A manager of this server cancelled this song."))


async def test_two_hundred_presses_by_the_wrong_person_are_all_refused(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.provider.on_submit.append(ProviderRefused("no"))
    await ada.command("split", file=song)
    sorry = await ada.wait_for(lambda found: labels(found) == ["Try again"])
    await until_nothing_is_owed(live_bot)
    before = await live_bot.records()
    for number in range(200):
        match number % 3:
            case 0:
                await ben.press(message, "Delete")
            case 1:
                await ben.press(sorry, "Try again")
            case _:
                await more(ben, message, "recipe")
    async with asyncio.timeout(20):
        while len(await ben.messages()) < 202:
            await asyncio.sleep(0.02)
    answers = [each for each in await ben.messages() if each["ephemeral"]]
    assert [each["content"] for each in answers] == [REFUSAL] * 200
    assert len([each for each in await ada.messages() if each["ephemeral"]]) == 0
    assert await live_bot.records() == before


async def test_a_format_that_would_not_fit_is_not_offered(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.sandbox.world.attachment_size_limit = 16_000
    message = await made(live_bot, ada, song)
    assert offers(message) == ["zip:mp3", "clip", "dm", "recipe"]
    with pytest.raises(SandboxRefused):
        await more(ada, message, "flac")
