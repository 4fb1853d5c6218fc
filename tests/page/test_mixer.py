"""The mixer page in a browser: sound, display, controls and faults."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect

from bot.domain.job import Job
from bot.domain.recipes import Recipe, Stem
from bot.mixer.page_assets import FOLDER, PageAssets
from tests.page.mixer_page import FLAC, OPUS, Listener, assets, stretch_file
from tests.support.mixer_server import MixerServer, open_mixer

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="module")]

SIX = (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.GUITAR, Stem.PIANO, Stem.OTHER)
HZ = dict(zip(SIX, (300, 500, 700, 900, 1_100, 1_300), strict=True))
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> & “Rain” {stem} \u202e"

MOVE = "slider => { slider.value = 50; slider.dispatchEvent(new Event('input')); }"

PRESSES = """
async () => {
  const passed = (ms) => new Promise((resolve) => {
    const [began, channel] = [performance.now(), new MessageChannel()];
    channel.port1.onmessage = () => {
      if (performance.now() - began >= ms) resolve();
      else channel.port2.postMessage(null);
    };
    channel.port2.postMessage(null);
  });
  for (let i = 0; i < 240; i += 1) {
    const key = i % 6 < 3 ? "ArrowRight" : "ArrowLeft";
    document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    await passed((i * 7) % 11);
  }
}
"""

SAFARI = """
(() => {
  let pressed = false;
  addEventListener("click", () => {
    pressed = true;
    setTimeout(() => { pressed = false; });
  }, true);
  const { resume } = AudioContext.prototype;
  const own = new WeakSet();
  let announce;
  window.made = new Promise((resolve) => { announce = resolve; });
  window.AudioContext = class extends AudioContext {
    constructor(options) {
      super(options);
      this.suspend();
      announce();
    }
    resume() {
      if (pressed) own.add(this);
      return own.has(this) ? resume.call(this) : new Promise(() => {});
    }
  };
  const decode = OfflineAudioContext.prototype.decodeAudioData;
  const known = new Promise((resolve) => { window.makeKnown = resolve; });
  OfflineAudioContext.prototype.decodeAudioData = async function (bytes) {
    await known;
    return decode.call(this, bytes);
  };
  const add = AudioWorklet.prototype.addModule;
  const ready = new Promise((resolve) => { window.makeReady = resolve; });
  AudioWorklet.prototype.addModule = async function (url) {
    await ready;
    return add.call(this, url);
  };
})();
"""
"""Starts sound only during a press; the codec and the tape are ready when the test says so."""

Opener = Callable[..., Awaitable[Listener]]


def _tone(hz: float, seconds: float) -> Any:
    time = np.arange(round(seconds * FLAC)) / FLAC
    return np.tile(0.12 * np.sin(2 * np.pi * hz * time), (2, 1))


def _six(seconds: float) -> dict[Stem, Any]:
    return {stem: _tone(HZ[stem], seconds) for stem in SIX}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MixerServer]:
    async with open_mixer(tmp_path_factory.mktemp("mixer"), assets=assets()) as opened:
        yield opened


async def until_packed(server: MixerServer, url: str, packs: int) -> None:
    """Wait for a song's last pack. A busy machine may make packs more slowly than they play."""
    async with asyncio.timeout(120):
        while (await server.get(f"{url}{packs - 1}.opus"))[0] != 200:
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def six(server: MixerServer) -> tuple[Job, str]:
    """A song of six tones, packed before any test hears it."""
    job, url = await server.put(_six(40.0), recipe=Recipe.SIX_STEMS)
    await until_packed(server, url, 20)
    return job, url


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, server: MixerServer) -> AsyncIterator[Opener]:
    """Open the page. Unexpected browser errors fail the test."""
    opened: list[Listener] = []

    async def open_page(url: str, **options: Any) -> Listener:
        listener = await Listener.open(browser, server, url, **options)
        opened.append(listener)
        return listener

    yield open_page
    for each in opened:
        await each.page.close()
    assert [each.complaints for each in opened] == [[] for _ in opened]


async def stems_heard(listener: Listener, *, seconds: float = 0.4) -> set[Stem]:
    """Return the stems that are audible in the next sound."""
    await listener.heard()
    heard = np.empty(0, np.float32)
    async with asyncio.timeout(15):
        while len(heard) < seconds * OPUS:
            await asyncio.sleep(0.05)
            heard = np.concatenate([heard, await listener.heard()])
    heard = heard[-int(seconds * OPUS) :]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) / len(heard)
    bins = {stem: round(hz * len(heard) / OPUS) for stem, hz in HZ.items()}
    return {stem for stem, at in bins.items() if spectrum[at - 2 : at + 3].max() > 0.004}


async def until_heard(listener: Listener, stems: set[Stem]) -> None:
    """Wait until exactly these stems are heard."""
    async with asyncio.timeout(20):
        while await stems_heard(listener) != stems:
            await asyncio.sleep(0.05)


async def test_all_stems_play_and_each_can_be_muted_or_heard_alone(
    visit: Opener, six: tuple[Job, str]
) -> None:
    listener = await visit(six[1])
    await listener.press("play")
    await until_heard(listener, set(SIX))
    await listener.press("mute vocals")
    await until_heard(listener, set(SIX) - {Stem.VOCALS})
    await listener.press("solo bass")
    await listener.press("solo piano")
    await until_heard(listener, {Stem.BASS, Stem.PIANO})
    await listener.page.get_by_role("slider", name="bass", exact=True).fill("0")
    await until_heard(listener, {Stem.PIANO})
    await listener.press("reset")
    await until_heard(listener, set(SIX))
    await listener.press("pause")
    await until_heard(listener, set())
    assert await listener.position() > 0


async def test_keys_play_move_mute_and_loop(visit: Opener, six: tuple[Job, str]) -> None:
    listener = await visit(six[1])
    page = listener.page
    await expect(page.get_by_role("button", name="play", exact=True)).to_be_enabled()
    keys = page.keyboard
    await keys.press("Space")
    await until_heard(listener, set(SIX))
    await keys.press("2")
    await keys.press("Shift+Digit3")
    await expect(page.get_by_role("button", name="mute drums")).to_have_attribute(
        "aria-pressed", "true"
    )
    await until_heard(listener, {Stem.BASS})
    await keys.press("Shift+Digit3")
    await page.get_by_role("button", name="solo other").focus()
    await keys.press("m")
    await until_heard(listener, set(SIX) - {Stem.DRUMS, Stem.OTHER})
    await keys.press("Space")  # focused buttons handle their own keys
    await until_heard(listener, {Stem.OTHER})
    await page.locator("body").click(position={"x": 2, "y": 2})
    await keys.press("l")
    await keys.press("ArrowRight")
    await keys.press("l")
    start, end = (
        page.get_by_role("textbox", name=name, exact=True) for name in ("loop from", "loop to")
    )
    began = await start.input_value()
    assert began.startswith("0:0")
    assert (await end.input_value()) > began
    await keys.press("l")
    await expect(start).to_have_value("")


@pytest.mark.slow
async def test_fifty_seeks_play_on_from_where_they_lead(
    visit: Opener, six: tuple[Job, str]
) -> None:
    listener = await visit(six[1])
    await listener.press("play")
    await until_heard(listener, set(SIX))
    slider = listener.page.get_by_role("slider", name="position", exact=True)
    for number in range(50):
        to = (number * 7.3) % 36
        await slider.fill(f"{to:.2f}")
        async with asyncio.timeout(15):
            while not to < await listener.position() < to + 3:
                await asyncio.sleep(0.01)
    await until_heard(listener, set(SIX))


async def test_a_loop_is_typed_and_keeps_its_time(visit: Opener, six: tuple[Job, str]) -> None:
    listener = await visit(six[1])
    page = listener.page
    for name, text in (("loop from", "0:10.5"), ("loop to", "11,25")):
        field = page.get_by_role("textbox", name=name, exact=True)
        await field.fill(text)
        await field.press("Enter")
    await expect(page.get_by_role("textbox", name="loop to", exact=True)).to_have_value("0:11.250")
    await page.get_by_role("slider", name="position", exact=True).fill("10.6")
    await listener.press("play")
    await until_heard(listener, set(SIX))
    for _ in range(30):
        assert 10.4 <= await listener.position() <= 11.3
        await asyncio.sleep(0.05)
    await listener.page.get_by_role("textbox", name="loop from", exact=True).fill("later")
    await page.keyboard.press("Enter")
    wrong = page.get_by_role("textbox", name="loop from", exact=True)
    await expect(wrong).to_have_attribute("aria-invalid", "true")


async def test_what_is_set_before_the_sound_is_ready_counts(
    visit: Opener, six: tuple[Job, str]
) -> None:
    listener = await visit("about:blank")
    await listener.page.add_init_script(
        """
        const add = AudioWorklet.prototype.addModule;
        const ready = new Promise((resolve) => { window.makeReady = resolve; });
        AudioWorklet.prototype.addModule = async function (url) {
          await ready;
          return add.call(this, url);
        };
        """
    )
    await listener.page.goto(six[1])
    await listener.page.get_by_role("slider", name="position", exact=True).fill("20")
    await listener.press("mute vocals")
    await listener.press("play")
    assert await listener.page.get_by_role("button", name="pause", exact=True).is_visible()
    await listener.page.evaluate("window.makeReady()")
    await until_heard(listener, set(SIX) - {Stem.VOCALS})
    assert 20 < await listener.position() < 35


async def test_play_is_kept_until_the_sound_is_there(visit: Opener, server: MixerServer) -> None:
    _, url = await server.put(
        {Stem.INSTRUMENTAL: _tone(HZ[Stem.BASS], 30.0)}, recipe=Recipe.INSTRUMENTAL
    )
    listener = await visit(url)
    await listener.press("play")
    await until_heard(listener, {Stem.BASS})


async def test_a_press_before_the_tape_is_ready_starts_the_sound_in_safari_too(
    visit: Opener, six: tuple[Job, str]
) -> None:
    listener = await visit("about:blank")
    await listener.page.add_init_script(SAFARI)
    await listener.page.goto(six[1])
    await listener.page.evaluate("window.makeKnown()")
    await listener.page.evaluate("window.made")
    await listener.press("play")
    await listener.page.evaluate("window.makeReady()")
    await until_heard(listener, set(SIX))


async def test_a_press_too_early_for_safari_can_be_repeated(
    visit: Opener, six: tuple[Job, str]
) -> None:
    listener = await visit("about:blank")
    await listener.page.add_init_script(SAFARI)
    await listener.page.goto(six[1])
    await listener.press("play")
    await listener.page.evaluate("window.makeKnown(), window.makeReady()")
    await listener.press("play")  # the button says so again, as nothing plays
    await until_heard(listener, set(SIX))


async def test_arrows_on_the_position_move_by_seconds(visit: Opener, six: tuple[Job, str]) -> None:
    listener = await visit(six[1])
    slider = listener.page.get_by_role("slider", name="position", exact=True)
    await slider.focus()
    for _ in range(3):
        await listener.page.keyboard.press("ArrowRight")
    await listener.page.keyboard.press("ArrowLeft")
    await expect(slider).to_have_value("10")


async def test_quick_presses_of_arrows_are_all_followed_while_the_page_plays(
    visit: Opener, six: tuple[Job, str]
) -> None:
    listener = await visit(six[1])
    await listener.press("play")
    await until_heard(listener, set(SIX))
    slider = listener.page.get_by_role("slider", name="position", exact=True)
    before = float(await slider.input_value())
    await listener.page.evaluate(PRESSES)
    assert before <= float(await slider.input_value()) <= before + 4


async def test_a_time_stretcher_that_did_not_arrive_is_fetched_again(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    root = tmp_path_factory.mktemp("stretch")
    async with open_mixer(root, assets=PageAssets({**files, "stretch.wasm": b""})) as server:
        _, url = await server.put(_six(2.0), recipe=Recipe.SIX_STEMS)
        page = await browser.new_page()
        asked: list[str] = []

        async def cut_off(route: Route) -> None:
            asked.append(route.request.url)
            await route.abort()

        await page.route("**/stretch.wasm", cut_off)
        await page.goto(url)
        higher = page.get_by_role("button", name="key: higher", exact=True)
        for count in (1, 2):
            await higher.click()
            async with asyncio.timeout(10):
                while len(asked) < count:
                    await asyncio.sleep(0.02)
        await page.close()


async def test_what_was_set_is_remembered_for_the_song_and_not_for_others(
    visit: Opener, six: tuple[Job, str], server: MixerServer, browser: Browser
) -> None:
    context = await browser.new_context()
    listener = Listener(page=await context.new_page(), server=server)
    await listener.page.goto(six[1])
    await listener.press("mute guitar")
    await listener.page.reload()
    muted = listener.page.get_by_role("button", name="mute guitar", exact=True)
    await expect(muted).to_have_attribute("aria-pressed", "true")
    _, url = await server.put(_six(2.0), recipe=Recipe.SIX_STEMS)
    await listener.page.goto(url)
    await expect(muted).to_have_attribute("aria-pressed", "false")
    kept = await listener.page.evaluate("JSON.stringify(localStorage)")
    assert six[1].split("/m/")[1].split(".")[1].rstrip("/") not in kept, "the address is a secret"
    await context.close()


async def test_a_hostile_title_is_a_text(visit: Opener, server: MixerServer) -> None:
    stems = {Stem.INSTRUMENTAL: _tone(440, 3.0), Stem.VOCALS: _tone(550, 3.0)}
    _, url = await server.put(stems, title=HOSTILE)
    listener = await visit(url)
    await expect(listener.page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert await listener.page.locator("main img").count() == 0
    assert await listener.page.title() == HOSTILE


async def test_stems_that_are_deleted_while_they_play_end_and_the_page_says_so(
    visit: Opener, server: MixerServer
) -> None:
    job, url = await server.put(_six(60.0), recipe=Recipe.SIX_STEMS)
    await until_packed(server, url, 30)
    listener = await visit(url, **PHONE)
    await listener.press("play")
    await until_heard(listener, set(SIX))
    await server.delete(job)
    page = listener.page
    # If the page has already noticed the deletion, a user cannot move the position.
    await page.get_by_role("slider", name="position", exact=True).evaluate(MOVE)
    await expect(page.get_by_role("status")).to_have_text("These stems are no longer kept.")
    await expect(page.get_by_role("button", name="mute vocals")).to_be_disabled()
    await until_heard(listener, set())
    listener.complaints.clear()  # the browser's own errors about status 410


async def test_an_address_whose_stems_are_gone_says_so_in_the_users_language(
    visit: Opener, server: MixerServer
) -> None:
    job, url = await server.put(
        {Stem.INSTRUMENTAL: _tone(440, 2.0)}, recipe=Recipe.INSTRUMENTAL, locale="es-ES"
    )
    await server.delete(job)
    listener = await visit(url)
    await expect(listener.page.locator(".notice")).to_have_text("Estas pistas ya no se conservan.")
    listener.complaints.clear()


async def test_without_a_network_it_plays_what_it_has_and_goes_on_when_it_is_back(
    visit: Opener, six: tuple[Job, str]
) -> None:
    listener = await visit(six[1], **PHONE)
    page = listener.page
    await listener.press("play")
    await until_heard(listener, set(SIX))
    await page.context.set_offline(True)
    assert await stems_heard(listener) == set(SIX)
    await page.get_by_role("slider", name="position", exact=True).fill("35")
    status = page.get_by_role("status")
    await expect(status).to_have_text("No connection. The loaded part keeps playing.")
    await until_heard(listener, set())
    await page.context.set_offline(False)
    await until_heard(listener, set(SIX))
    await expect(status).to_have_text("")
    listener.complaints.clear()


async def test_a_pack_that_cannot_be_decoded_is_said_once_and_the_rest_plays(
    visit: Opener, server: MixerServer
) -> None:
    job, url = await server.put(_six(12.0), recipe=Recipe.SIX_STEMS)
    await until_packed(server, url, 6)
    file = server.files.of(job.id).packs / "0.opus"
    broken = bytearray(file.read_bytes())
    first = int.from_bytes(broken[4:8], "little")
    broken[28 : 28 + first] = bytes(first)
    file.write_bytes(broken)
    listener = await visit(url)
    await listener.press("play")
    await expect(listener.page.get_by_role("status")).to_have_text(
        "Part of vocals cannot be played."
    )
    await until_heard(listener, set(SIX))


async def test_without_a_secure_address_it_says_why_and_offers_what_it_can(
    browser: Browser, six: tuple[Job, str], server: MixerServer
) -> None:
    (server.files.of(six[0].id).linked / "vocals.mp3").write_bytes(b"sound")
    page = await browser.new_page()
    await page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    await page.goto(six[1])
    await expect(page.get_by_role("status")).to_have_text(
        "Browsers play stems together only over https."
    )
    await expect(page.get_by_role("button", name="play", exact=True)).to_be_disabled()
    await page.locator("summary").click()
    link = page.get_by_role("link", name="download vocals as MP3")
    answer = await server.get(str(await link.evaluate("link => link.href")))
    assert answer[1] == b"sound"
    (server.files.of(six[0].id).linked / "vocals.mp3").unlink()
    await page.close()


async def test_a_browser_without_opus_gets_flac(visit: Opener, server: MixerServer) -> None:
    _, url = await server.put(_six(6.0), recipe=Recipe.SIX_STEMS)
    listener = await visit("about:blank")
    await listener.page.add_init_script(
        """
        const decode = OfflineAudioContext.prototype.decodeAudioData;
        OfflineAudioContext.prototype.decodeAudioData = () => Promise.reject(new Error("no Opus"));
        """
    )
    asked: list[str] = []
    listener.page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    await listener.page.goto(url)
    await listener.press("play")
    async with asyncio.timeout(20):
        while await listener.position() < 0.5:
            await asyncio.sleep(0.05)
    assert "0.flac" in asked
    assert not [name for name in asked if name.endswith(".opus")]
    assert await listener.page.evaluate("window.sound.sampleRate") == FLAC


@pytest.mark.skipif(stretch_file() is None, reason="make model fetches it with npm")
async def test_speed_and_key_change_what_is_heard(visit: Opener, server: MixerServer) -> None:
    _, url = await server.put(
        {Stem.INSTRUMENTAL: _tone(600, 30.0), Stem.VOCALS: 0 * _tone(1, 30.0)}
    )
    await until_packed(server, url, 15)
    listener = await visit(url)
    page = listener.page
    for _ in range(3):
        await listener.press("key: higher")
    await listener.press("speed: slower")
    await expect(page.get_by_role("group", name="key", exact=True)).to_contain_text("+3")
    await expect(page.get_by_role("group", name="speed", exact=True)).to_contain_text("95 %")
    await expect(page.locator("#note")).to_have_text("Drums in “instrumental” change key too.")
    await listener.press("play")
    wanted = 600 * 2 ** (3 / 12)
    heard = np.empty(0, np.float32)
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.1)
            heard = np.concatenate([heard, await listener.heard()])[-OPUS // 2 :]
            loud = len(heard) == OPUS // 2 and np.abs(heard[-OPUS // 4 :]).max() > 0.05
            if loud and abs(2 * np.argmax(np.abs(np.fft.rfft(heard))) - wanted) < 6:
                break


async def test_without_the_stretcher_speed_and_key_are_off_and_say_why(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("plain")
    async with open_mixer(root, assets=assets(stretch=False)) as server:
        _, url = await server.put(_six(2.0), recipe=Recipe.SIX_STEMS)
        listener = await Listener.open(browser, server, url)
        higher = listener.page.get_by_role("button", name="key: higher", exact=True)
        await expect(higher).to_be_disabled()
        reason = await higher.get_attribute("aria-describedby")
        await expect(listener.page.locator(f"#{reason}")).to_contain_text(
            "Key and speed cannot be changed on this page."
        )
        await listener.page.close()


@pytest.mark.parametrize("options", [{}, PHONE], ids=["wide", "phone"])
async def test_every_control_has_a_name_and_can_be_hit(
    visit: Opener, six: tuple[Job, str], options: dict[str, Any]
) -> None:
    listener = await visit(six[1], **options)
    page = listener.page
    await expect(page.get_by_role("button", name="play", exact=True)).to_be_visible()
    found = await page.evaluate(
        """
        [...document.querySelectorAll("button, input, summary")].filter((each) =>
          each.getClientRects().length).map((each) => {
          const { width, height, left, right, bottom } = each.getBoundingClientRect();
          return { name: each.getAttribute("aria-label") ?? each.textContent, width, height, left,
            right, bottom };
        })
        """
    )
    assert len(found) > 20
    assert [each for each in found if not each["name"].strip()] == []
    assert [each for each in found if each["width"] < 44 or each["height"] < 36] == []
    size = options.get("viewport", {"width": 1280, "height": 800})
    assert [each for each in found if each["left"] < 0 or each["right"] > size["width"]] == []
    if options:
        assert [each for each in found if each["bottom"] > size["height"]] == [], "on one screen"


@pytest.mark.parametrize(
    ("locale", "play", "solo"),
    [("pt-BR", "reproduzir", "só bateria"), ("ja", "再生", "ドラムをソロ再生")],
)
async def test_the_page_speaks_the_language_of_the_reply(
    visit: Opener, server: MixerServer, locale: str, play: str, solo: str
) -> None:
    _, url = await server.put(_six(2.0), recipe=Recipe.SIX_STEMS, locale=locale)
    listener = await visit(url)
    await expect(listener.page.get_by_role("button", name=play, exact=True)).to_be_visible()
    await expect(listener.page.get_by_role("button", name=solo, exact=True)).to_be_visible()
    assert await listener.page.evaluate("document.documentElement.lang") == locale
