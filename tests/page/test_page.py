"""The page in a real browser, with the sandbox and a small bot behind it."""

import re

import pytest
from playwright.async_api import expect

from sandbox.client import SandboxClient
from sandbox.server import Sandbox
from tests.page.conftest import Opener

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="module")]

HOSTILE = "'><img src=x onerror=window.broken=1><b>.wav"


async def test_a_stem_comes_back_and_plays_on_while_its_card_changes(
    visit: Opener,
) -> None:
    ada = await visit()
    await ada.choose_command("split")
    await ada.attach()
    await ada.page.locator(".more-chip", has_text="stems").click()
    await ada.page.get_by_role("option", name="Vocals").click()
    await ada.page.keyboard.press("Enter")

    await expect(ada.last).to_contain_text("Ada used split")
    await expect(ada.last.locator(".embed-title")).to_have_text("song.wav · Vocals")
    await expect(ada.last.locator(".embed")).to_contain_text("50 %")
    await expect(ada.last.locator(".embed")).to_contain_text("Two stems")
    await ada.last.get_by_role("button", name="Play song (Vocals).wav").click()
    await expect(ada.last.locator(".embed-footer")).to_have_text("Kept for a day")
    await expect(ada.last.locator(".clock")).to_have_text("0:01 / 0:03")
    await expect(ada.last.get_by_role("button", name="Pause song (Vocals).wav")).to_be_visible()


async def test_a_missing_required_option_is_named_and_nothing_is_sent(visit: Opener) -> None:
    ada = await visit()
    await ada.choose_command("split")
    await ada.send()

    await expect(ada.page.get_by_role("alert")).to_contain_text("file: This option is required")
    await expect(ada.messages).to_have_count(0)


async def test_a_press_is_answered_to_the_one_who_pressed_alone(visit: Opener) -> None:
    ada, ben = await visit("Ada"), await visit("Ben")
    await ada.split()
    await ben.last.get_by_role("button", name="Again").click()

    await expect(ben.last).to_contain_text("Once more, with feeling")
    await expect(ben.last).to_contain_text("Only you can see this")
    await expect(ada.messages).to_have_count(1)
    await ben.page.get_by_role("button", name="Dismiss message").click()
    await expect(ben.messages).to_have_count(1)


async def test_names_and_texts_of_others_are_shown_and_never_run(visit: Opener) -> None:
    cleo = await visit("Cleo", "@me")
    await cleo.page.locator("input[type=file]").set_input_files(
        {"name": HOSTILE, "mimeType": "audio/wav", "buffer": b"RIFF"}
    )
    text = "<img src=x onerror=window.broken=1> **loud** [no](javascript:window.broken=1)"
    await cleo.page.get_by_role("combobox", name="Message").fill(text)
    await cleo.page.keyboard.press("Enter")

    await expect(cleo.messages).to_have_count(2)
    song = cleo.messages.first
    await expect(song.locator(".content")).to_have_text(text.replace("**", ""))
    await expect(song.locator("strong", has_text="loud")).to_be_visible()
    await expect(song.locator(".file-name")).to_have_text(HOSTILE)
    assert await cleo.page.locator("img[src=x], a[href^=javascript]").count() == 0
    assert await cleo.page.evaluate("window.broken === undefined")


async def test_a_person_sees_commands_and_times_in_the_language_they_set(visit: Opener) -> None:
    ada = await visit("Ada")
    language = ada.page.get_by_role("button", name="Ada's language")
    await expect(language).to_have_text("en-US")
    await language.click()
    await ada.page.get_by_role("menuitem", name="European Spanish").click()
    await expect(language).to_have_text("es-ES")
    await ada.page.get_by_role("combobox", name="Message").fill("/sepa")
    option = ada.page.get_by_role("option")
    await expect(option).to_have_count(1)
    await expect(option).to_contain_text("Separa una canción")
    await option.click()
    await ada.attach()
    await ada.page.locator(".more-chip", has_text="pistas").click()
    await ada.page.get_by_role("option", name="Voz").click()
    await ada.page.keyboard.press("Enter")

    await expect(ada.last).to_contain_text("Ada used separar")
    await expect(ada.last.locator(".embed-title")).to_have_text("song.wav · Vocals")
    await ada.page.get_by_role("combobox", name="Message").fill("<t:0:R>")
    await ada.page.keyboard.press("Enter")
    await expect(ada.last.locator("time.timestamp")).to_have_text(re.compile("^hace .* años$"))
    await language.click()
    await ada.page.get_by_role("menuitem", name="Japanese").click()
    await expect(ada.last.locator("time.timestamp")).to_have_text(re.compile("年前$"))
    ben = await visit("Ben")
    await expect(ben.page.get_by_role("button", name="Ben's language")).to_have_text("en-US")
    await expect(ben.last.locator("time.timestamp")).to_have_text(re.compile("years ago$"))


async def test_another_person_sees_the_same_channel_and_their_own_dm(visit: Opener) -> None:
    ada = await visit("Ada")
    await ada.split()
    await expect(ada.last).to_contain_text("Two stems")
    await ada.page.get_by_role("radio", name="Ben").click()
    await expect(ada.page.get_by_label("You are Ben")).to_be_visible()
    await expect(ada.messages).to_have_count(1)
    await ada.page.locator(".channel.dm").click()
    await expect(ada.page).to_have_url(re.compile("#/Ben/%40me$"))
    await expect(ada.messages).to_have_count(0)


async def test_a_command_that_nobody_answers_says_so(visit: Opener, sandbox: Sandbox) -> None:
    sandbox.interactions.answer_within_s = 0.2
    ada = await visit()
    await ada.choose_command("silent")
    await ada.send()

    await expect(ada.last).to_contain_text("The application did not respond")
    await expect(ada.last).to_contain_text("Only you can see this")


async def test_what_the_bot_suggests_can_be_picked(visit: Opener) -> None:
    ada = await visit()
    await ada.choose_command("split")
    await ada.attach()
    await ada.page.locator(".more-chip", has_text="provider").click()
    await ada.page.keyboard.type("aud")
    await expect(ada.page.get_by_role("option")).to_have_count(1)
    await ada.page.keyboard.press("Enter")
    await ada.page.keyboard.press("Enter")

    await expect(ada.last).to_contain_text("By audiocleaner: 50 %")


async def test_a_command_in_a_group_takes_a_person_and_a_whole_number(visit: Opener) -> None:
    ada = await visit()
    await ada.choose_command("admin quota set")
    await ada.page.get_by_role("option", name="Cleo").click()
    await ada.page.get_by_label("minutes:").fill("many")
    await ada.page.keyboard.press("Enter")
    await expect(ada.page.get_by_role("alert")).to_contain_text("Enter a whole number")
    await ada.page.get_by_label("minutes:").fill("90")
    await ada.page.keyboard.press("Enter")

    await expect(ada.last.locator(".content")).to_have_text("@Cleo has 90 minutes")


async def test_a_form_is_filled_in_and_answered(visit: Opener) -> None:
    ada = await visit()
    await ada.choose_command("rename")
    await ada.send()
    form = ada.page.get_by_role("dialog", name="Rename the song")
    await form.get_by_label("New name").fill("Neon Rain")
    await form.get_by_role("button", name="Submit").click()

    await expect(ada.last).to_contain_text("Renamed to Neon Rain")
    await expect(form).to_have_count(0)


async def test_a_message_command_is_used_from_the_menu_of_a_message(visit: Opener) -> None:
    ben = await visit("Ben", "lounge")
    await ben.page.locator("input[type=file]").set_input_files(
        {"name": "demo.wav", "mimeType": "audio/wav", "buffer": b"RIFF"}
    )
    await ben.page.keyboard.press("Enter")
    await ben.last.click(button="right")
    await ben.page.get_by_role("menuitem", name="Split this audio").click()

    await expect(ben.last).to_contain_text("Splitting demo.wav")


async def test_a_narrow_screen_scrolls_only_down_and_hides_the_channels(visit: Opener) -> None:
    ada = await visit(width=390, height=844)
    await ada.split(name="a-name-without-any-place-to-break-it-" * 4 + ".wav")
    await expect(ada.last).to_contain_text("Two stems")

    for scroller in ("html", ".timeline", ".composer"):
        assert await ada.page.locator(scroller).evaluate("node => node.scrollWidth") <= 390
    channel = ada.page.get_by_role("button", name="lounge")
    await expect(channel).to_be_hidden()
    await ada.page.get_by_role("button", name="Show channels").click()
    await channel.click()
    await expect(ada.page.get_by_role("heading", name="lounge", exact=True)).to_be_visible()
    await expect(channel).to_be_hidden()


async def test_a_new_message_leaves_a_reader_of_old_ones_where_they_are(
    visit: Opener, sandbox: Sandbox
) -> None:
    ada = await visit(height=500)
    timeline = ada.page.locator("#timeline")
    async with SandboxClient(sandbox.base_url, person="Ben") as ben:
        for line in range(12):
            await ben.say(f"line {line}")
        await expect(ada.last).to_be_in_viewport()
        await timeline.evaluate("node => node.scrollTop = 0")
        await expect(ada.page.locator(".welcome")).to_be_in_viewport()
        await ben.say("one more")

    await expect(ada.last).to_contain_text("one more")
    assert await timeline.evaluate("node => node.scrollTop") == 0
    await ada.page.get_by_role("button", name="New messages").click()
    await expect(ada.last).to_be_in_viewport()


async def test_the_page_finds_its_way_back_after_a_lost_connection(
    visit: Opener, sandbox: Sandbox
) -> None:
    ada = await visit()
    await ada.page.context.set_offline(True)
    await ada.page.context.set_offline(False)
    sandbox.feed.close()
    ben = await visit("Ben")
    await ben.split()

    await expect(ada.last).to_contain_text("Two stems")
