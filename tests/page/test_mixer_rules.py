"""The mixer page's pure modules: mixes, times, loops and the packs to hold."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from bot.domain.recipes import Recipe, Stem
from tests.page.mixer_page import assets
from tests.support import audio_files
from tests.support.mixer_server import open_mixer

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="module")]

CALL = """
async ({ module, name, given }) => (await import(`${module}.js`))[name](...given) ?? null
"""


class Rules:
    """Calls functions that the page's modules export."""

    def __init__(self, page: Page, folder: str) -> None:
        self._page = page
        self._folder = folder

    async def call(self, module: str, name: str, *given: Any) -> Any:
        told = {"module": f"{self._folder}/{module}", "name": name, "given": list(given)}
        return await self._page.evaluate(CALL, told)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rules(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rules]:
    async with open_mixer(tmp_path_factory.mktemp("rules"), assets=assets()) as server:
        stems = {Stem.INSTRUMENTAL: audio_files.tone(1.0)}
        _, url = await server.put(stems, recipe=Recipe.INSTRUMENTAL)
        page = await browser.new_page()
        await page.goto(url)
        yield Rules(page, f"{server.base_url}/m/x/{server.assets.digest}")
        await page.close()


def _stem(level: int = 100, *, muted: bool = False, solo: bool = False) -> dict[str, Any]:
    return {"level": level, "muted": muted, "solo": solo}


@pytest.mark.parametrize(
    ("mix", "gains"),
    [
        ([_stem(), _stem(50)], [1, 0.25]),
        ([_stem(muted=True), _stem()], [0, 1]),
        ([_stem(), _stem(solo=True), _stem(50, solo=True)], [0, 1, 0.25]),
        ([_stem(muted=True, solo=True), _stem()], [1, 0]),
        ([_stem(0), _stem(muted=True)], [0, 0]),
    ],
)
async def test_a_solo_silences_the_others_and_levels_are_squared(
    rules: Rules, mix: list[Any], gains: list[float]
) -> None:
    assert await rules.call("mix", "gainsOf", mix) == gains


@pytest.mark.parametrize(
    "kept", [None, [], [_stem()], "mix", [_stem(), _stem(101)], [_stem(), {"level": 5}], [1, 2]]
)
async def test_a_kept_mix_of_another_shape_is_forgotten(rules: Rules, kept: Any) -> None:
    assert await rules.call("mix", "restored", kept, 2) == [_stem(), _stem()]


async def test_a_kept_mix_is_restored(rules: Rules) -> None:
    kept = [_stem(30, muted=True), _stem(solo=True)]
    assert await rules.call("mix", "restored", kept, 2) == kept


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:00", 0),
        ("1:02.5", 62.5),
        (" 12:34,567 ", 754.567),
        ("90", 90),
        ("90.25", 90.25),
        ("1:60", None),
        ("", None),
        ("-1", None),
        ("1:2:3", None),
        ("soon", None),
        ("1e3", None),
    ],
)
async def test_times_are_typed_as_people_write_them(
    rules: Rules, text: str, seconds: float | None
) -> None:
    assert await rules.call("times", "typed", text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("seconds", "clock", "exact"),
    [(0, "0:00", "0:00.000"), (61.9996, "1:01", "1:02.000"), (754.25, "12:34", "12:34.250")],
)
async def test_times_are_shown(rules: Rules, seconds: float, clock: str, exact: str) -> None:
    assert await rules.call("times", "clock", seconds) == clock
    assert await rules.call("times", "exact", seconds) == exact


@pytest.mark.parametrize(
    ("ends", "loop"),
    [
        ({"from": 1, "to": 3}, {"from": 1, "to": 3}),
        ({"from": 3, "to": 1}, {"from": 1, "to": 3}),
        ({"from": -5, "to": 99}, {"from": 0, "to": 10}),
        ({"from": 1, "to": None}, None),
        ({"from": 1, "to": 1.05}, None),
        ({"from": 20, "to": 30}, None),
    ],
)
async def test_a_loop_is_in_order_inside_the_song_and_not_too_short(
    rules: Rules, ends: Any, loop: Any
) -> None:
    assert await rules.call("times", "loopOf", ends, 10) == loop


@pytest.mark.parametrize(
    ("at", "loop", "packs"),
    [
        (0, None, [0, 1, 2, 3, 4, 5]),
        (20.5, None, [10, 11, 12, 13, 14, 15, 7, 8, 9]),
        (58, None, [29, 26, 27, 28]),
        (21, {"from": 4, "to": 23}, [10, 11, 2, 3, 4, 5, 6, 8, 9]),
        (21, {"from": 20.5, "to": 21.5}, [10, 8, 9]),
        (30, {"from": 4, "to": 8}, [15, 16, 17, 18, 19, 20, 12, 13, 14]),
    ],
)
async def test_packs_are_wanted_from_the_head_on_then_where_a_loop_leads_then_behind(
    rules: Rules, at: float, loop: Any, packs: list[int]
) -> None:
    asked = {"at": at, "chunk": 2, "count": 30, "ahead": 10, "behind": 5, "loop": loop}
    assert await rules.call("packs", "wanted", asked) == packs
