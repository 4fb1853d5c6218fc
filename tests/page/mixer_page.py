"""Offline renderings of the mixer page's tape, and recordings of the page."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Browser, ConsoleMessage, Page

from bot.engine.model_catalogue import STRETCH
from bot.engine.weights import Weights
from bot.mixer.page_assets import FOLDER, PageAssets
from tests.support.mixer_server import MixerServer

Heard = NDArray[np.float32]

OPUS, FLAC = 48_000, 44_100
RECORDER = b"""
class Recorder extends AudioWorkletProcessor {
  process([input]) {
    const heard = input[0] ? input[0].slice() : new Float32Array(128);
    this.port.postMessage(heard, [heard.buffer]);
    return true;
  }
}
registerProcessor("recorder", Recorder);
"""
LISTEN = """
(() => {
  const connect = AudioNode.prototype.connect;
  window.recorded = [];
  AudioNode.prototype.connect = function (to, ...rest) {
    if (this instanceof AudioWorkletNode && to === this.context.destination) {
      const { context } = this;
      window.sound = context;
      context.audioWorklet.addModule(new URL("RECORDER", location.href)).then(() => {
        const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
        recorder.port.onmessage = ({ data }) => window.recorded.push(data);
        connect.call(this, recorder);
      });
    }
    return connect.call(this, to, ...rest);
  };
})();
"""
"""Runs before the page's own scripts, and records what they play."""
_JOIN = """
  const whole = new Uint8Array(left.buffer);
  let text = "";
  for (let i = 0; i < whole.length; i += 32768)
    text += String.fromCharCode(...whole.subarray(i, i + 32768));
  return btoa(text);
"""
_RENDER = (
    """
async ({ base, assets, codec, rate, stems, packs, seconds, total, orders, stretch }) => {
  const context = new OfflineAudioContext(2, Math.round(seconds * rate), rate);
  await context.audioWorklet.addModule(`${assets}/tape.js`);
  const { payloads } = await import(`${assets}/packs.js`);
  const put = [];
  for (let n = 0; n < packs; n += 1) {
    const pack = await (await fetch(`${base}${n}.${codec}`)).arrayBuffer();
    const sounds = await Promise.all(payloads(pack).map(async (payload) => {
      if (!payload) return null;
      const sound = await context.decodeAudioData(payload);
      return [0, 1].map((channel) => sound.getChannelData(channel).slice());
    }));
    put.push({ op: "put", n, sounds });
  }
  if (stretch)
    put.push({ op: "stretch", bytes: await (await fetch(`${assets}/stretch.wasm`)).arrayBuffer() });
  const tape = new AudioWorkletNode(context, "tape", {
    numberOfInputs: 0,
    outputChannelCount: [2],
    processorOptions: { stems, length: 2 * rate, total, orders: [...put, ...orders] },
  });
  tape.connect(context.destination);
  const left = (await context.startRendering()).getChannelData(0);
"""
    + _JOIN
    + "}"
)
_TAKE = (
    """
() => {
  const left = new Float32Array(window.recorded.length * 128);
  window.recorded.forEach((block, i) => left.set(block, 128 * i));
  window.recorded = [];
"""
    + _JOIN
    + "}"
)


def assets(*, stretch: bool = True) -> PageAssets:
    """Return the page's files and the recorder."""
    files = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    files["recorder.js"] = RECORDER
    if stretch and (wasm := stretch_file()) is not None:
        files["stretch.wasm"] = wasm.read_bytes()
    return PageAssets(files)


def stretch_file() -> Path | None:
    """Return the time stretcher that `make model` fetches, or None if it was not fetched."""
    weights = Weights(STRETCH, Path("data/models"))
    return weights.path if weights.is_present() else None


@dataclass(slots=True, kw_only=True)
class Listener:
    """A browser tab with the mixer page."""

    page: Page
    server: MixerServer
    complaints: list[str] = field(default_factory=list)

    @classmethod
    async def open(
        cls, browser: Browser, server: MixerServer, url: str, **options: Any
    ) -> "Listener":
        page = await browser.new_page(**{"viewport": {"width": 1280, "height": 800}, **options})
        opened = cls(page=page, server=server)

        def overhear(line: ConsoleMessage) -> None:
            if line.type == "error":
                opened.complaints.append(line.text)

        page.on("console", overhear)
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        recorder = f"../x/{server.assets.digest}/recorder.js"
        await page.add_init_script(LISTEN.replace("RECORDER", recorder))
        await page.goto(url)
        return opened

    async def heard(self) -> Heard:
        """Return the left channel of the sound played since the last call."""
        return _samples(await self.page.evaluate(_TAKE))

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def position(self) -> float:
        """Return the song's position in seconds."""
        slider = self.page.get_by_role("slider", name="position", exact=True)
        return float(await slider.input_value())


async def rendered(
    page: Page,
    server: MixerServer,
    url: str,
    *,
    seconds: float,
    song_s: float,
    orders: Sequence[dict[str, Any]],
    codec: str = "flac",
    tuned: Sequence[bool] = (True, True),
    stretch: bool = False,
) -> Heard:
    """Return the output of a tape that gets these orders; `when` is a frame of the output."""
    rate = {"flac": FLAC, "opus": OPUS}[codec]
    told = {
        "base": url,
        "assets": f"{server.base_url}/m/x/{server.assets.digest}",
        "codec": codec,
        "rate": rate,
        "stems": [{"tuned": each} for each in tuned],
        "packs": -(-round(song_s * rate) // (2 * rate)),
        "seconds": seconds,
        "total": round(song_s * rate),
        "orders": list(orders),
        "stretch": stretch,
    }
    return _samples(await page.evaluate(_RENDER, told))


def _samples(text: str) -> Heard:
    return np.frombuffer(base64.b64decode(text), "<f4")
