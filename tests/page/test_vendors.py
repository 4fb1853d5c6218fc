"""The page's panel of simulated vendors."""

import pytest
from playwright.async_api import expect

from sandbox.server import Sandbox
from sandbox.vendors.modes import Mode
from tests.page.conftest import Opener

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="module")]


async def test_a_vendor_is_broken_from_the_page_and_everyone_sees_it(
    visit: Opener, sandbox: Sandbox
) -> None:
    ada, ben = await visit(), await visit("Ben")
    await ada.page.get_by_role("button", name="Vendors").click()
    panel = ada.page.get_by_role("dialog", name="Hosted services")
    await panel.get_by_label("How FineVoice behaves").select_option("no_credit")

    await expect(panel).to_contain_text("It refuses: no credit left.")
    assert sandbox.vendors.finevoice.behaviour.mode is Mode.NO_CREDIT
    await expect(ben.page.locator(".vendors-button.broken")).to_be_visible()


async def test_an_open_panel_follows_the_books(visit: Opener, sandbox: Sandbox) -> None:
    ada = await visit()
    await ada.page.get_by_role("button", name="Vendors").click()
    panel = ada.page.get_by_role("dialog", name="Hosted services")
    await expect(panel).to_contain_text("0 min billed, 600 left")
    sandbox.vendors.soundverse.account.charge(61)
    sandbox.vendors.soundverse.behaviour.change(Mode.MODERATION)

    await expect(panel).to_contain_text("2 min billed, 598 left")
    await expect(panel.get_by_label("How Soundverse behaves")).to_have_value("moderation")


WIDE_FONT = """
    const wide = new CSSStyleSheet();
    wide.replaceSync("* { font-family: monospace !important; letter-spacing: 2px !important }");
    document.adoptedStyleSheets = [wide];
"""


@pytest.mark.parametrize("font", ["", WIDE_FONT], ids=["its own font", "a wide one"])
async def test_a_panel_fits_a_narrow_window(visit: Opener, font: str) -> None:
    ada = await visit(width=390)
    await ada.page.evaluate(f"() => {{ {font} }}")
    await ada.page.get_by_role("button", name="Vendors").click()
    box = await ada.page.get_by_role("dialog", name="Hosted services").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert await ada.page.evaluate("document.documentElement.scrollWidth") <= 390
