"""Songs in existing messages: the message menu and DMs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.domain.job import Entry
from bot.ui.attachments.attachment_cache import MAX_MESSAGES
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.scenes import (
    Message,
    forward,
    has_stems,
    labels,
    menu_of,
    says,
    settle_outside,
    shows,
)

MENU = "Split this audio"


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("Blue Moon.mp3", "notes.txt", "Red Sun.flac")]
    for path in paths:
        path.write_bytes(b"\xff\xfb" * 500)
    return paths


def is_about(title: str) -> Callable[[Message], bool]:
    """Return a predicate for cards with this title."""
    return lambda found: bool(found["embeds"]) and found["embeds"][0]["title"] == title


async def latest_song(people: SandboxClient) -> Message:
    return (await people.messages())[-1]


async def test_the_menu_splits_the_song_of_anybodys_message(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    await ben.say("listen to this", song)
    message = await latest_song(ada)
    await ada.menu(MENU, message["id"])
    stems = await ada.wait_for(lambda found: has_stems(found) and bool(found["embeds"]))
    assert stems["embeds"][0]["title"] == "Neon Rain · Karaoke"
    [job] = await live_bot.jobs.of_user(live_bot.user_id("Ada"), 5)
    assert job.request.source.message_id == int(message["id"])
    assert job.request.entry is Entry.MENU


async def test_one_of_several_songs_is_chosen(
    ada: SandboxClient, ben: SandboxClient, songs: list[Path]
) -> None:
    await ben.say("", *songs)
    await ada.menu(MENU, (await latest_song(ada))["id"])
    asked = await ada.wait_for(says("Which of these songs"))
    assert asked["ephemeral"]
    menu = menu_of(asked)
    assert [each["label"] for each in menu["options"]] == [
        "Blue Moon",
        "Red Sun",
        "All of them",
    ]
    await ada.press(asked, menu["custom_id"], values=["1"])
    await ada.wait_for(shows("Red Sun · Karaoke"))


@pytest.mark.parametrize("place", ["karaoke", "group"])
async def test_a_forgotten_message_is_read_again_where_the_bot_may(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, songs: list[Path], place: str
) -> None:
    if place == "group":
        channel = settle_outside(live_bot, "group")
        ada.in_channel(channel)
        ben.in_channel(channel)
    await ben.say("", *songs)
    await ada.menu(MENU, (await latest_song(ada))["id"])
    asked = await ada.wait_for(says("Which of these songs"))
    for message_id in range(MAX_MESSAGES):
        live_bot.attachments.remember(message_id, ())
    await ada.press(asked, menu_of(asked)["custom_id"], values=["0"])
    if place == "group":
        await ada.wait_for(says("Discord no longer has this file."))
    else:
        await ada.wait_for(shows("Blue Moon · Karaoke"))


async def test_a_message_without_a_song_is_answered_with_a_sentence(
    ada: SandboxClient, ben: SandboxClient, songs: list[Path]
) -> None:
    await ben.say("no song here", songs[1])
    await ada.menu(MENU, (await latest_song(ada))["id"])
    said = await ada.wait_for(says("There is no song in this message."))
    assert said["ephemeral"]


async def test_a_song_sent_to_the_bot_is_answered_with_recipes(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    ada.in_channel("dm")
    await ada.say("", song)
    asked = await ada.wait_for(shows("What should I make from it?"))
    assert asked["embeds"][0]["title"] == "Neon Rain"
    assert labels(asked) == ["Karaoke", "Instrumental", "Vocals"]
    await ada.press(asked, "Vocals")
    stems = await ada.wait_for(lambda found: has_stems(found) and bool(found["embeds"]))
    assert stems["embeds"][0]["title"] == "Neon Rain · Vocals"
    [job] = await live_bot.jobs.of_user(live_bot.user_id("Ada"), 5)
    assert job.request.entry is Entry.MESSAGE
    assert job.request.source.message_id == int((await ada.messages())[0]["id"])


async def test_several_songs_sent_to_the_bot_have_their_turn_each(
    ada: SandboxClient, songs: list[Path]
) -> None:
    ada.in_channel("dm")
    await ada.say("", *songs)
    asked = await ada.wait_for(says("Which of these songs"))
    for number, title in enumerate(("Blue Moon", "Red Sun")):
        await ada.press(asked, menu_of(asked)["custom_id"], values=[str(number)])
        recipes = await ada.wait_for(is_about(title))
        await ada.press(recipes, "Instrumental")
        await ada.wait_for(shows(f"{title} · Instrumental"))


async def test_words_sent_to_the_bot_are_answered_with_how_it_is_used(ada: SandboxClient) -> None:
    ada.in_channel("dm")
    await ada.say("hello?")
    await ada.wait_for(says("Send me a song"))


async def test_the_bot_does_not_answer_in_servers(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    await ada.say("<@bot> hello", song)
    await asyncio.sleep(0.2)
    assert len(await ada.messages()) == 1


async def test_a_song_deleted_before_the_choice_is_asked_for_again(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    ada.in_channel("dm")
    await ada.say("", song)
    asked = await ada.wait_for(shows("What should I make from it?"))
    await ada.delete((await ada.messages())[0]["id"])
    await ada.press(asked, "Karaoke")
    await ada.wait_for(says("Please send it again."))


async def test_a_forwarded_song_is_found_by_the_menu(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    await ben.say("listen to this", song)
    original = await latest_song(ada)
    forwarded = await forward(live_bot, original, "Ben", original["channel_id"])
    await ada.menu(MENU, forwarded["id"])
    await ada.wait_for(shows("Neon Rain · Karaoke"))
    [job] = await live_bot.jobs.of_user(live_bot.user_id("Ada"), 5)
    assert job.request.source.message_id == int(forwarded["id"])


async def test_a_song_forwarded_to_the_bot_is_answered_with_recipes(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    await ben.say("listen to this", song)
    original = await latest_song(ada)
    ada.in_channel("dm")
    await ada.say("hello?")
    dm = await ada.wait_for(says("Send me a song"))
    await forward(live_bot, original, "Ada", dm["channel_id"])
    asked = await ada.wait_for(lambda found: labels(found)[:1] == ["Karaoke"])
    await ada.press(asked, "Karaoke")
    stems = await ada.wait_for(lambda found: has_stems(found) and bool(found["embeds"]))
    assert stems["embeds"][0]["title"] == "Neon Rain · Karaoke"
