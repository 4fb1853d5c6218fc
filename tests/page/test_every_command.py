"""Every command, used in the page by users who do not speak English."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from sandbox.server import Sandbox
from tests.chaos.harness import open_harness
from tests.chaos.services import Script
from tests.page.conftest import Opener, Visit
from tests.page.words import Reader, words_of

pytestmark = [pytest.mark.page, pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

READERS = [Reader("es-ES", "European Spanish"), Reader("ja", "Japanese")]
COMMANDS = {
    *("split", "batch", "remix", "jobs", "result", "cancel", "quota", "help", "privacy"),
    *("admin quota set", "admin quota grant", "admin quota reset"),
    *("admin block", "admin unblock", "admin providers", "admin stats", "admin defaults"),
}


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox with the whole bot, whose providers follow the scripts that songs name."""
    async with open_harness(tmp_path / "harness", people=0) as harness, harness.running_bot():
        yield harness.sandbox


@dataclass(kw_only=True)
class Walk:
    """One reader's tour of the commands, which collects all English text."""

    reader: Reader
    visit: Visit
    names: set[str] = field(default_factory=lambda: {*Script})
    """Names without a language, such as songs and job ids."""
    english: list[str] = field(default_factory=list)

    async def set_language(self) -> None:
        await self.visit.page.get_by_role("button", name="Ada's language").click()
        await self.visit.page.get_by_role("menuitem", name=self.reader.name).click()

    async def use(self, command: str, *, song: Script | None = None, **options: str) -> Locator:
        """Use a command. An option's value is a number, or the start of an entry in its list."""
        page, before = self.visit.page, await self.visit.messages.count()
        await self.visit.choose_command(command)
        if song is not None:
            # A user who sends the same file again already has its stems.
            await self.visit.attach(name=f"{song}.mp3", content=f"{song} {self.reader}".encode())
        for name, value in options.items():
            await self._fill(name, value)
        await page.locator(".send:visible").click()
        return await self.next_message(before)

    async def next_message(self, before: int) -> Locator:
        """Wait until the next message has content, and return it."""
        await expect(self.visit.messages).to_have_count(before + 1)
        await expect(self.visit.last.locator(".thinking")).to_have_count(0)
        await self.look(self.visit.last)
        return self.visit.last

    async def look(self, message: Locator) -> None:
        """Record a message's current text."""
        for footer in await message.locator(".embed-footer").all_inner_texts():
            self.names.add(footer)
        self.note(await words_of(message))

    async def look_at_list(self) -> None:
        """Record the open list's text."""
        options = self.visit.page.locator("[role=option]:visible")
        await expect(options.first).to_be_visible()
        self.note(await options.all_inner_texts())

    async def look_at_form(self) -> None:
        """Record the open form's text, and close it."""
        form = self.visit.page.get_by_role("dialog")
        await expect(form).to_be_visible()
        words = form.locator("h2, .question-label, .question .question-detail, .select")
        self.note(await words.all_inner_texts())
        await self.visit.page.keyboard.press("Escape")
        await expect(form).to_have_count(0)

    def note(self, texts: list[str]) -> None:
        self.english += self.reader.english_in(texts, known=self.names)

    async def _fill(self, name: str, value: str) -> None:
        page = self.visit.page
        chip = page.locator(".more-chip", has_text=re.compile(f"^{name}$"))
        if await chip.count():
            await chip.click()
        entry = page.get_by_label(re.compile(f"^{name}:"))
        await entry.click()
        if value.isdecimal():
            await entry.fill(value)
            return
        await self.look_at_list()
        option = page.get_by_role("option").filter(has_text=value).first
        await option.click()


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.locale)
async def test_every_command_speaks_the_language_of_who_uses_it(
    visit: Opener, reader: Reader
) -> None:
    walk = Walk(reader=reader, visit=await visit())
    await walk.set_language()
    await _read_the_list_of_commands(walk)
    await _split_and_show_again(walk)
    await _stop_one(walk)
    await _ask(walk)
    await _administer(walk)
    await _split_a_message(walk)
    await _send_a_direct_message(walk)
    assert walk.english == []


async def _read_the_list_of_commands(walk: Walk) -> None:
    page = walk.visit.page
    await page.get_by_role("combobox", name="Message").fill("/")
    offered = page.get_by_role("option")
    await expect(offered).to_have_count(len(COMMANDS))
    for command in COMMANDS:
        await expect(offered.filter(has_text=f"/{command}")).to_have_count(1)
    walk.note(await offered.locator(".option-detail").all_inner_texts())


async def _split_and_show_again(walk: Walk) -> None:
    await walk.use("split", song=Script.PLAIN, stems="")
    await expect(walk.visit.last).to_contain_text("plain (Vocals).mp3")
    await walk.look(walk.visit.last)
    card = walk.visit.messages.last
    for button in (0, 1):
        await card.locator(".row button").nth(button).click()
        await walk.look_at_form()
    before = await walk.visit.messages.count()
    await card.locator(".select").click()
    await walk.look_at_list()
    await walk.visit.page.get_by_role("option").last.click()
    choosing = await walk.next_message(before)
    await choosing.locator(".select").click()
    await walk.look_at_list()
    await walk.visit.page.keyboard.press("Escape")
    shown = await walk.use("result", job="plain")
    await expect(shown).to_contain_text("plain (Vocals).mp3")
    remixed = await walk.use("remix", job="plain", key="2", mix="")
    await expect(remixed).to_contain_text("plain (Vocals, +2).mp3")
    await walk.visit.choose_command("batch")
    await walk.visit.send()
    await walk.look_at_form()


async def _stop_one(walk: Walk) -> None:
    card = await walk.use("split", song=Script.ENDLESS)
    await expect(card.locator(".embed-footer")).to_be_visible()
    await walk.look(card)
    await walk.use("jobs")
    await walk.use("cancel", job="endless")


async def _ask(walk: Walk) -> None:
    await walk.use("quota")
    await walk.use("help")
    privacy = await walk.use("privacy")
    title = await privacy.locator(".embed-title").inner_text()
    await privacy.locator(".row button").click()
    await expect(privacy.locator(".embed-title")).not_to_have_text(title)
    await walk.look(privacy)


async def _administer(walk: Walk) -> None:
    await walk.use("admin quota set", user="Cleo", minutes="90")
    await walk.use("admin quota grant", minutes="5", user="Cleo")
    await walk.use("admin quota reset", user="Cleo")
    await walk.use("admin block", user="Ben")
    await walk.use("admin unblock", user="Ben")
    await walk.use("admin providers")
    await walk.use("admin stats")
    await walk.use("admin defaults")


async def _split_a_message(walk: Walk) -> None:
    page, before = walk.visit.page, await walk.visit.messages.count()
    await _say(walk.visit, "one", "other")
    await expect(walk.visit.messages).to_have_count(before + 1)
    await walk.visit.last.click(button="right")
    app = page.locator(".menu-group[aria-label=Apps]").get_by_role("menuitem")
    walk.note(await app.all_inner_texts())
    await app.click()
    await walk.next_message(before + 1)


async def _send_a_direct_message(walk: Walk) -> None:
    song = f"song {walk.reader.locale}"
    walk.names.add(song)
    await walk.visit.page.locator(".channel.dm").click()
    await _say(walk.visit, song)
    await expect(walk.visit.last.locator(".embed-title")).to_have_text(song)
    await walk.look(walk.visit.last)
    before = await walk.visit.messages.count()
    await walk.visit.last.locator(".row button").first.click()
    await walk.next_message(before)


async def _say(visit: Visit, *songs: str) -> None:
    files = [
        {"name": f"{song}.mp3", "mimeType": "audio/mpeg", "buffer": song.encode()} for song in songs
    ]
    await visit.page.locator(".composer input[type=file]").first.set_input_files(files)  # type: ignore[arg-type] # FilePayloads are dicts
    await visit.page.keyboard.press("Enter")
