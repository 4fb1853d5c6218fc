"""The bot's forms, links and described files in a real browser."""

import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import FilePayload, Locator, expect

from sandbox.client import SandboxClient
from sandbox.server import Sandbox
from tests.integration.sandbox.raw_bot import RawBot
from tests.page.conftest import Opener, Visit
from tests.page.forms import LISTEN_URL
from tests.page.singer import tone
from tests.support import audio_files

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="module")]


def songs(count: int) -> list[FilePayload]:
    return [
        {"name": f"song {number}.wav", "mimeType": "audio/wav", "buffer": tone()}
        for number in range(count)
    ]


async def open_batch(visit: Visit) -> Locator:
    await visit.choose_command("batch")
    await visit.send()
    return visit.page.get_by_role("dialog", name="Split several songs")


async def test_a_form_with_one_of_each_field_is_filled_in_and_reaches_the_bot(
    visit: Opener,
) -> None:
    ada = await visit()
    form = await open_batch(ada)
    await expect(form).to_contain_text("Up to ten, each becomes a job")
    await form.locator("input[type=file]").set_input_files(songs(2))
    key = form.get_by_role("combobox", name="Key")
    await expect(key).to_have_text("As it is")
    await key.click()
    await expect(form.get_by_role("option", name="As it is")).to_have_class("option active")
    await form.get_by_role("option", name="-3").click()
    await expect(form.get_by_role("radio", name="100 %")).to_be_checked()
    speed = form.get_by_role("radiogroup", name="Speed")
    await speed.get_by_role("radio", name="75 %").check()
    await form.get_by_role("checkbox", name="Click").check()
    await form.get_by_label("Note").fill("for Ben")
    await form.get_by_role("button", name="Submit").click()

    await expect(form).to_have_count(0)
    said = "songs: song_0.wav, song_1.wav\nkey: -3\nspeed: 75\nextras: click\nnote: for Ben"
    await expect(ada.last.locator(".content")).to_have_text(said, use_inner_text=True)


async def test_a_form_is_used_with_the_keys_alone(visit: Opener) -> None:
    ada = await visit()
    form = await open_batch(ada)
    keyboard = ada.page.keyboard
    await expect(form.get_by_role("button", name="Songs Choose up to 10 files")).to_be_focused()
    await form.locator("input[type=file]").set_input_files(songs(1))
    key = form.get_by_role("combobox", name="Key")
    await key.focus()
    await keyboard.press("ArrowDown")
    await keyboard.press("ArrowDown")
    await keyboard.press("Enter")
    await expect(key).to_have_text("+1")
    await keyboard.press("ArrowDown")
    await keyboard.press("Escape")
    await expect(form.get_by_role("listbox")).to_have_count(0)
    await expect(form).to_be_visible()
    await keyboard.press("Tab")
    await keyboard.press("ArrowDown")
    await expect(form.get_by_role("radio", name="125 %")).to_be_checked()
    await keyboard.press("Tab")
    await keyboard.press("Space")
    await keyboard.press("Tab")
    await keyboard.press("Tab")
    await keyboard.type("loud")
    await keyboard.press("Enter")

    await expect(ada.last.locator(".content")).to_contain_text("key: 1")
    await expect(ada.last.locator(".content")).to_contain_text("speed: 125")
    await expect(ada.last.locator(".content")).to_contain_text("note: loud")


async def test_a_form_says_what_is_missing_and_where(visit: Opener) -> None:
    ada = await visit()
    form = await open_batch(ada)
    await form.get_by_label("Note").fill("no")
    await form.get_by_role("button", name="Submit").click()

    files = form.get_by_role("button", name="Songs")
    await expect(files).to_be_focused()
    await expect(files).to_have_accessible_description(
        "Up to ten, each becomes a job Choose at least 1 file."
    )
    await expect(form.get_by_label("Note")).to_have_accessible_description(
        "Shown on the card Enter at least 3 characters."
    )
    await expect(ada.messages).to_have_count(0)
    await form.locator("input[type=file]").set_input_files(songs(12))
    await expect(form.get_by_role("status", name="")).to_contain_text(
        ["10 files at most: 2 left out."]
    )
    await expect(form.locator(".upload")).to_have_count(10)
    await form.get_by_role("button", name="Remove song 9.wav").click()
    await expect(form.locator(".upload")).to_have_count(9)


async def test_a_form_is_left_without_a_word_to_the_bot(visit: Opener) -> None:
    ada = await visit()
    form = await open_batch(ada)
    await form.get_by_label("Note").fill("never mind")
    await form.get_by_role("button", name="Cancel").click()
    await expect(form).to_have_count(0)
    form = await open_batch(ada)
    await expect(form).to_be_visible()
    await ada.page.keyboard.press("Escape")
    await expect(form).to_have_count(0)
    await expect(ada.messages).to_have_count(0)


async def test_a_form_that_a_button_opened_changes_its_message(visit: Opener) -> None:
    ada = await visit()
    await ada.choose_command("listen")
    await ada.send()
    await ada.last.get_by_role("button", name="Key & speed").click()
    form = ada.page.get_by_role("dialog", name="Key & speed")
    box = form.get_by_role("checkbox", name="For me alone")
    await expect(box).to_be_checked()
    await box.uncheck()
    await form.get_by_role("button", name="Submit").click()

    await expect(ada.last.locator(".content")).to_contain_text("private: False")
    await expect(ada.messages).to_have_count(1)


async def test_a_menu_of_a_message_sends_also_the_option_it_shows(visit: Opener) -> None:
    ada = await visit()
    await ada.choose_command("listen")
    await ada.send()
    await ada.last.get_by_role("combobox", name="How it is mixed").click()
    await ada.last.get_by_role("option", name="Every stem").click()
    await expect(ada.last.locator(".content")).to_have_text("mix: stems")
    await ada.messages.first.get_by_role("combobox", name="How it is mixed").click()
    await ada.messages.first.get_by_role("option", name="One file").click()
    await expect(ada.last.locator(".content")).to_have_text("mix: song")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 700)])
async def test_a_form_fits_its_screen_and_its_buttons_stay_in_reach(
    visit: Opener, width: int, height: int
) -> None:
    ada = await visit(width=width, height=height)
    form = await open_batch(ada)
    await form.locator("input[type=file]").set_input_files(songs(5))
    box = await form.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= height
    body = form.locator(".modal-body")
    assert await body.evaluate("node => node.scrollWidth <= node.clientWidth")
    await form.get_by_label("Note").fill("no")
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_text("Enter at least 3 characters")).to_be_in_viewport(ratio=1)
    await expect(form.get_by_role("button", name="Submit")).to_be_in_viewport(ratio=1)
    await form.get_by_role("combobox", name="Key").click()
    await expect(form.get_by_role("option", name="As it is")).to_be_in_viewport(ratio=1)


async def test_a_described_file_shows_its_description_and_a_link_opens_a_tab_of_its_own(
    visit: Opener,
) -> None:
    ada = await visit()
    await ada.choose_command("listen")
    await ada.send()
    player = ada.last.get_by_role("group", name="song (Vocals).wav")
    await expect(player).to_have_accessible_description("The singer alone, without the band")
    await expect(ada.last.locator(".file-description")).to_be_visible()
    link = ada.last.get_by_role("link", name="Listen")
    await expect(link).to_have_attribute("href", LISTEN_URL)
    await expect(link).to_have_attribute("target", "_blank")
    assert "noopener" in str(await link.get_attribute("rel"))


async def test_numbers_of_a_command_are_checked_against_their_range(visit: Opener) -> None:
    ada = await visit()
    await ada.choose_command("remix")
    await ada.page.keyboard.type("neon")
    await ada.page.get_by_role("option", name="Neon Rain").click()
    await ada.page.locator(".more-chip", has_text="key").click()
    key = ada.page.get_by_label("key:")
    await expect(key).to_have_attribute("placeholder", "-12 to 12")
    problem = ada.page.locator(".command .problem")
    for typed, said in [
        ("13", "at most 12"),
        ("-13", "at least -12"),
        ("1.5", "a whole number"),
        ("loud", "a whole number"),
    ]:
        await key.fill(typed)
        await ada.page.keyboard.press("Enter")
        await expect(problem).to_contain_text(said)
    await key.fill("-2")
    await ada.page.locator(".more-chip", has_text="mix").click()
    await ada.page.get_by_role("option", name="song").click()
    await ada.page.locator(".more-chip", has_text="speed").click()
    await ada.page.get_by_label("speed:").fill("80")
    await ada.page.keyboard.press("Enter")

    await expect(ada.last.locator(".content")).to_have_text("k7f2q -2 80 song")


async def test_a_sound_of_the_server_is_listed_and_played(
    visit: Opener, sandbox: Sandbox, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.mp3"
    audio_files.write(clip, "mp3", "libmp3lame", sound=audio_files.tone(2.0))
    guild = next(iter(sandbox.world.guilds.values()))
    uri = f"data:audio/mpeg;base64,{base64.b64encode(clip.read_bytes()).decode()}"
    asked: dict[str, Any] = {"name": "Neon chorus", "sound": uri, "emoji_name": "🎤"}
    ada = await visit()
    async with RawBot(sandbox) as bot:
        _, sound = await bot.ask("POST", f"/guilds/{guild.id}/soundboard-sounds", asked)
        play = ada.page.get_by_role("button", name="Play sound Neon chorus")
        await play.click()
        stop = ada.page.get_by_role("button", name="Stop sound Neon chorus")
        await expect(stop).to_be_visible()
        async with SandboxClient(sandbox.base_url) as ben:
            await ben.advance(60)
        await expect(stop).to_be_visible()
        await stop.click()
        await expect(play).to_be_visible()
        await bot.ask("DELETE", f"/guilds/{guild.id}/soundboard-sounds/{sound['sound_id']}")
        await expect(play).to_have_count(0)
