"""Fixtures: a sandbox with a small bot, and a browser that shows its page."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, async_playwright, expect

from sandbox.server import Sandbox
from tests.page.singer import Singer, discord_at, tone

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]

expect.set_options(timeout=20_000)


@dataclass(slots=True, kw_only=True)
class Visit:
    """A user's browser tab, with helpers for actions in it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    @property
    def messages(self) -> Locator:
        return self.page.locator(".message")

    @property
    def last(self) -> Locator:
        return self.messages.last

    async def choose_command(self, name: str) -> None:
        await self.page.get_by_role("combobox", name="Message").fill(f"/{name}")
        await self.page.get_by_role("option").filter(has_text=f"/{name}").click()

    async def attach(
        self, *, name: str = "song.wav", option: str = "file", content: bytes | None = None
    ) -> None:
        file = {"name": name, "mimeType": "audio/wav", "buffer": content or tone()}
        await self.page.locator(f"input[type=file][aria-label^='{option}']").set_input_files(file)  # type: ignore[arg-type]  # a FilePayload is a dict

    async def send(self) -> None:
        await self.page.locator(".send:visible").click()

    async def split(self, *, name: str = "song.wav") -> None:
        await self.choose_command("split")
        await self.attach(name=name)
        await self.send()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"the page's tests need Chromium at {CHROMIUM}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


def _overhear(page: Page, complaints: list[str]) -> None:
    def hear(line: ConsoleMessage) -> None:
        if line.type == "error":
            complaints.append(line.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))


Opener = Callable[..., Awaitable[Visit]]


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        with discord_at(sandbox.base_url):
            async with Singer() as bot:
                await bot.login("sandbox-token")
                connection = asyncio.create_task(bot.connect())
                await bot.wait_until_ready()
                yield sandbox
            await connection


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Opener]:
    """Open the page as a user. Any error inside the page fails the test."""
    visits: list[Visit] = []

    async def open_page(
        user: str = "Ada", where: str = "karaoke", *, width: int = 1280, height: int = 800
    ) -> Visit:
        page = await browser.new_page(
            viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        opened = Visit(page=page)
        _overhear(page, opened.complaints)
        visits.append(opened)
        await page.goto(f"{sandbox.base_url}/#/{user}/{where}")
        await expect(page.locator(".welcome")).to_be_visible()
        return opened

    yield open_page
    for each in visits:
        await each.page.close()
    assert [each.complaints for each in visits] == [[] for _ in visits]
