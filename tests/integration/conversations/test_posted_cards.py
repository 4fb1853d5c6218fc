"""Cards posted by an earlier version, whose custom ids must still work."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.domain.errors import ProviderRefused
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.scenes import (
    Message,
    has_stems,
    job_id_of,
    made,
    says,
    shows,
    until_sent,
)

Accepts = Callable[[Message], bool]


async def post(live_bot: LiveBot, *items: discord.ui.Item[Any]) -> Message:
    """Post a message with these hand-written components."""
    world = live_bot.sandbox.world
    [channel_id] = [each.id for each in world.channels.values() if each.name == "karaoke"]
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    channel = live_bot.client.get_partial_messageable(channel_id)
    message = await channel.send("an older card", view=view)
    rows = [{"components": row["components"]} for row in view.to_components()]
    return {"id": str(message.id), "components": rows}


def button(custom_id: str) -> Any:
    return discord.ui.Button(label=custom_id[:80], custom_id=custom_id)


def menu(custom_id: str, value: str) -> Any:
    options = [discord.SelectOption(label="It", value=value)]
    return discord.ui.Select(custom_id=custom_id, options=options)


def shows_stems(*endings: str) -> Accepts:
    """Return a predicate for messages with stems whose names all have one of these suffixes."""

    def accepts(message: Message) -> bool:
        names = [each["filename"] for each in message["attachments"]]
        return bool(names) and all(any(name.endswith(end) for end in endings) for name in names)

    return accepts


OWN: dict[str, Accepts] = {
    "other": says("What"),
    "as-flac": shows_stems(".flac"),
    "as-wav": shows_stems(".wav"),
    "dm": says("direct messages"),
    "clip": shows_stems("(Clip).mp3"),
    "sound": says("Discord didn't take the clip."),
}


@pytest.mark.parametrize("action", OWN)
async def test_a_button_about_a_finished_job(
    live_bot: LiveBot, ada: SandboxClient, song: Path, action: str
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    message = await post(live_bot, button(f"{action}:{job_id}"))
    await ada.press(message, f"{action}:{job_id}")
    await ada.wait_for(OWN[action])


@pytest.mark.parametrize("action", ["show", "as-mp3"])
async def test_a_button_that_shows_the_stems_again(
    live_bot: LiveBot, ada: SandboxClient, song: Path, action: str
) -> None:
    first = await made(live_bot, ada, song)
    message = await post(live_bot, button(f"{action}:{job_id_of(first)}"))
    await ada.press(message, f"{action}:{job_id_of(first)}")
    await ada.wait_for(lambda found: has_stems(found) and found["id"] != first["id"])


async def test_a_button_that_deletes(live_bot: LiveBot, ada: SandboxClient, song: Path) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    message = await post(live_bot, button(f"delete:{job_id}"))
    await ada.press(message, f"delete:{job_id}")
    async with asyncio.timeout(30):
        while any(each["id"] == message["id"] for each in await ada.messages()):
            await asyncio.sleep(0.01)
    [job] = await live_bot.jobs.of_user(live_bot.user_id("Ada"), 5)
    assert job.files_expired


async def test_a_button_that_cancels(live_bot: LiveBot, ada: SandboxClient, song: Path) -> None:
    live_bot.provider.gate = asyncio.Event()
    await ada.command("split", file=song)
    await until_sent(live_bot)
    [job] = await live_bot.jobs.unfinished()
    message = await post(live_bot, button(f"cancel:{job.id}"))
    await ada.press(message, f"cancel:{job.id}")
    await ada.wait_for(says("Nothing was charged."))


async def test_a_button_that_tries_again(live_bot: LiveBot, ada: SandboxClient, song: Path) -> None:
    live_bot.provider.on_submit.append(ProviderRefused("no"))
    await ada.command("split", file=song)
    failed = await ada.wait_for(shows("Nothing was charged."))
    message = await post(live_bot, button(f"again:{job_id_of(failed)}"))
    await ada.press(message, f"again:{job_id_of(failed)}")
    await ada.wait_for(has_stems)


async def test_menus_about_a_job(live_bot: LiveBot, ada: SandboxClient, song: Path) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    message = await post(live_bot, menu("show-one", job_id), menu(f"recipe:{job_id}", "vocals"))
    await ada.press(message, f"recipe:{job_id}", values=["vocals"])
    await ada.wait_for(shows("Neon Rain · Vocals"))
    await ada.press(message, "show-one", values=[job_id])
    async with asyncio.timeout(30):
        while len([*filter(has_stems, await ada.messages())]) < 3:
            await asyncio.sleep(0.01)


async def test_buttons_and_menus_about_a_message(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    await ben.say("listen", song)
    source = (await ada.messages())[-1]["id"]
    ids = (f"make:instrumental:{source}:0", f"more:{source}:0", f"song:{source}", f"pick:{source}")
    message = await post(
        live_bot,
        button(ids[0]),
        menu(ids[1], "vocals"),
        menu(ids[2], "0"),
        menu(ids[3], "0"),
    )
    await ada.press(message, ids[0])
    await ada.wait_for(shows("Neon Rain · Instrumental"))
    await ada.press(message, ids[1], values=["vocals"])
    await ada.wait_for(shows("Neon Rain · Vocals"))
    await ada.press(message, ids[2], values=["0"])
    await ada.wait_for(lambda found: [each["title"] for each in found["embeds"]] == ["Neon Rain"])
    await ada.press(message, ids[3], values=["0"])
    await ada.wait_for(shows("Neon Rain · Karaoke"))


async def test_buttons_that_delete_everything(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    await made(live_bot, ada, song)
    message = await post(live_bot, button("forget:ask"), button("forget:confirmed"))
    await ada.press(message, "forget:confirmed")
    await ada.wait_for(shows("All your data is deleted"))
    assert await live_bot.jobs.of_user(live_bot.user_id("Ada"), 5) == []


async def test_a_recipe_that_this_version_does_not_have_is_named_as_unknown(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    message = await post(live_bot, menu(f"recipe:{job_id}", "kazoo"))
    await ada.press(message, f"recipe:{job_id}", values=["kazoo"])
    await ada.wait_for(says("I don't know these stems."))
