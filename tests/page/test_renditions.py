"""Actions after a split, with the whole bot: another key, a mix, a zip, and the mixer page."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from sandbox.bot_process import BotProcess, public_links
from sandbox.run import free_port
from sandbox.server import Sandbox
from sandbox.song import write_song
from tests.page.conftest import Opener, Visit

pytestmark = [pytest.mark.page, pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

SONG_S = 5.0
expect.set_options(timeout=30_000)


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox with vendors, and the bot as `make run VENDORS=1` starts it."""
    async with (
        Sandbox() as sandbox,
        BotProcess(
            sandbox,
            data_dir=tmp_path / "data",
            log=tmp_path / "bot.log",
            vendors=True,
            settings=public_links(free_port(0)),
        ),
    ):
        yield sandbox


async def split(visit: Visit, tmp_path: Path, *, private: bool = False) -> Locator:
    """Split a song, and return the message with its stems."""
    song = write_song(tmp_path / "Neon Rain.wav", seconds=SONG_S)
    await visit.choose_command("split")
    await visit.attach(name="Neon Rain.wav", content=song.read_bytes())
    if private:
        await visit.page.locator(".more-chip", has_text="private").click()
        await visit.page.get_by_role("option", name="True").click()
    await visit.send()
    card = visit.messages.nth(await visit.messages.count() - 1)
    await expect(player(card, "Neon Rain (Vocals).mp3")).to_be_visible()
    return card


def player(message: Locator, filename: str) -> Locator:
    return message.get_by_role("group", name=filename)


async def choose(card: Locator, option: str) -> None:
    """Choose from the menu below a result."""
    await card.locator(".select").click()
    await card.get_by_role("option", name=option).click()


async def test_a_result_is_sung_in_another_key_mixed_zipped_and_listened_to(
    visit: Opener, browser: Browser, tmp_path: Path
) -> None:
    ada = await visit()
    card = await split(ada, tmp_path)

    await card.get_by_role("button", name="Key & speed").click()
    form = ada.page.get_by_role("dialog", name="Key & speed")
    await expect(form.get_by_role("combobox", name="Key")).to_contain_text("Original key")
    await expect(form.get_by_role("combobox", name="Speed")).to_contain_text("100 %")
    await form.get_by_role("combobox", name="Key").click()
    await form.get_by_role("option", name="−2").click()
    await form.get_by_role("button", name="Submit").click()
    lower = ada.messages.nth(1)
    await expect(lower).to_contain_text("Only you can see this")
    await expect(player(lower, "Neon Rain (Vocals, -2).mp3")).to_be_visible()
    await expect(lower.locator(".embed")).to_contain_text("Key −2")

    await card.get_by_role("button", name="Mix").click()
    form = ada.page.get_by_role("dialog", name="Mix")
    await form.get_by_role("combobox", name="Vocals").click()
    await form.get_by_role("option", name="25 %").click()
    await form.get_by_role("button", name="Submit").click()
    mix = ada.messages.nth(2)
    await expect(player(mix, "Neon Rain (Mix, vocals 25 %).mp3")).to_be_visible()
    await mix.locator(".select").click()
    await expect(mix.get_by_role("option")).to_have_text(
        ["As FLAC", "As WAV", "Clip for the soundboard", "To my DM", "Other recipe"]
    )
    await ada.page.keyboard.press("Escape")

    await choose(card, "Zip: all files in one")
    await expect(ada.messages.nth(3)).to_contain_text("Neon Rain (Stems).zip")

    async with ada.page.context.expect_page() as opening:
        await card.get_by_role("link", name="Listen").click()
    mixer = await opening.value
    await expect(mixer.get_by_role("heading", name="Neon Rain")).to_be_visible()
    await mixer.get_by_role("button", name="mute vocals").click()
    await mixer.get_by_role("button", name="play", exact=True).click()
    await expect(mixer.get_by_role("button", name="pause")).to_be_visible()
    await expect(mixer.locator("body")).to_contain_text(re.compile(r"0:0[1-5]"))
    await mixer.close()


async def test_a_stranger_gets_their_own_key_but_changes_nothing(
    visit: Opener, tmp_path: Path
) -> None:
    ada, ben = await visit(), await visit("Ben")
    await split(ada, tmp_path)
    card = ben.messages.first
    await card.get_by_role("button", name="Delete").click()
    await expect(ben.last).to_contain_text("I can't find that song among yours.")
    await card.get_by_role("button", name="Key & speed").click()
    await ben.page.get_by_role("dialog").get_by_role("button", name="Submit").click()
    own = ben.messages.nth(2)
    await expect(player(own, "Neon Rain (Vocals).mp3")).to_be_visible()
    await expect(own).to_contain_text("Only you can see this")
    await expect(ada.messages).to_have_count(1)
    private = await split(ada, tmp_path, private=True)
    await expect(private.get_by_role("link", name="Listen")).to_be_visible()
    await expect(ben.messages).to_have_count(3)
