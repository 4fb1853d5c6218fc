"""The page's rendering of Discord's Markdown, run in a browser."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from sandbox.server import Sandbox

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="module")]

LINK = '<a href="{0}" target="_blank" rel="noopener noreferrer nofollow">{1}</a>'
DRAWN = {
    "**a *b* c**": "<strong>a <em>b</em> c</strong>",
    "***both***": "<strong><em>both</em></strong>",
    "*it* and _it_": "<em>it</em> and <em>it</em>",
    "snake_case_name": "snake_case_name",
    "2 * 3 * 4": "2 * 3 * 4",
    "__under__ ~~gone~~": "<u>under</u> <s>gone</s>",
    r"\*plain\*": "*plain*",
    "`**raw**`": "<code>**raw**</code>",
    "one\ntwo": "one<br>two",
    "```py\n<b>\n```": "<pre><code>&lt;b&gt;</code></pre>",
    "> quoted\n> still\nnot": "<blockquote>quoted<br>still</blockquote>not",
    "- a\n- b": "<ul><li>a</li><li>b</li></ul>",
    "-# small": '<small class="subtext">small</small>',
    "# Title": "<h1>Title</h1>",
    "<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "[x](javascript:alert(1))": "[x](javascript:alert(1))",
    "[site](https://example.org/a?b=1)": LINK.format("https://example.org/a?b=1", "site"),
    "see https://a.example.": f"see {LINK.format(*['https://a.example'] * 2)}.",
    "<@7>": '<span class="mention">@Ada</span>',
    "<#9>": '<span class="mention">#unknown-channel</span>',
    "</split:5>": '<span class="mention">/split</span>',
}

DRAW = """async (texts) => {
  const { markdown } = await import("/page/markdown.js");
  const nameOf = (kind, id) => (kind === "user" && id === "7" ? "Ada" : undefined);
  return texts.map((text) => {
    const root = document.createElement("div");
    root.append(...markdown(text, { nowMs: 0, nameOf }));
    return root.innerHTML;
  });
}"""


TIMED = f"""async (texts) => {{
  const from = performance.now();
  await ({DRAW})(texts);
  return performance.now() - from;
}}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with Sandbox() as sandbox:
        page = await browser.new_page()
        await page.goto(sandbox.base_url)
        yield page
        await page.close()


async def test_texts_are_drawn_as_discord_draws_them(page: Page) -> None:
    drawn = await page.evaluate(DRAW, list(DRAWN))

    assert dict(zip(DRAWN, drawn, strict=True)) == DRAWN


async def test_times_are_relative_to_the_clock_of_the_sandbox(page: Page) -> None:
    drawn = await page.evaluate(DRAW, ["<t:7200:R>", "<t:-60:R>"])

    assert ["in 2 hours" in drawn[0], "1 minute ago" in drawn[1]] == [True, True]


async def test_a_long_run_of_marks_is_drawn_without_delay(page: Page) -> None:
    took_ms = await page.evaluate(
        TIMED, ["*" * 4096, "_*" * 2048, "[" * 4096, "**a " * 1024, "||" * 2048, "`" * 4096]
    )

    assert took_ms < 5000
