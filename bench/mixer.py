"""Measures the mixer page in Chromium: skew, seeks, first sound, memory and the audio thread.

Run as `python -m bench.mixer`. The song has six stems of short bursts, at different times in each
stem. The bench records what the page plays and compares each burst's position with the expected
one.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console
from rich.table import Table
from scipy import signal

from bot.domain.recipes import Recipe, Stem
from tests.page.conftest import ARGUMENTS, CHROMIUM
from tests.page.mixer_page import FLAC, OPUS, Heard, Listener, assets, stretch_file
from tests.support.mixer_server import MixerServer, open_mixer
from tests.support.sound import Sound

SIX = (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.GUITAR, Stem.PIANO, Stem.OTHER)
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
BURST_HZ = 1_500.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SEEK = """
async (to) => {
  const slider = document.querySelector(".position");
  const began = performance.now();
  slider.value = to;
  slider.dispatchEvent(new Event("input"));
  const set = Number(slider.value) * 48000;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve));
    const { at, starved } = window.told ?? {};
    if (!starved && at > set && at < set + 3 * 48000) return performance.now() - began;
  }
}
"""
WATCH = """
(() => {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (...given) {
    if (this instanceof AudioWorkletNode)
      this.port.addEventListener("message", ({ data }) => {
        if ("at" in data) window.told = data;
      });
    return connect.apply(this, given);
  };
})();
"""
FIRST_SOUND = """
async () => {
  const began = performance.now();
  document.querySelector(".play").click();
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve));
    if (window.recorded.some((block) => block.some((sample) => sample !== 0)))
      return performance.now() - began;
  }
}
"""


def song(minutes: float) -> dict[Stem, Sound]:
    """Return six stems, each with a burst a second over faint noise, so that none is silent."""
    rng = np.random.default_rng(5)
    frames = round(minutes * 60 * FLAC)
    time_s = np.arange(-600, 601) / FLAC
    burst = 0.5 * np.exp(-((time_s / 0.003) ** 2)) * np.cos(2 * np.pi * BURST_HZ * time_s)
    stems: dict[Stem, Sound] = {}
    for number, stem in enumerate(SIX):
        sound = rng.normal(0, 0.002, frames)
        for at_s in np.arange(0.1 + 0.15 * number, minutes * 60 - 0.1, 1.0):
            middle = round(at_s * FLAC)
            sound[middle - 600 : middle + 601] += burst
        stems[stem] = np.tile(sound, (2, 1))
    return stems


def skew_ms(heard: Heard) -> tuple[float, int]:
    """Return the largest skew between stems in ms, and the number of interruptions."""
    bursts = _bursts(heard)
    steps = np.diff(bursts)
    begins = [at for at in range(1, len(bursts) - 5) if abs(steps[at - 1] / OPUS - 0.25) < 0.02]
    apart, broken = 0.0, 0
    for begin in begins:
        late = bursts[begin : begin + 6] - bursts[begin] - 0.15 * OPUS * np.arange(6)
        if np.abs(late).max() > 0.02 * OPUS:
            broken += 1
        else:
            apart = max(apart, float(late.max() - late.min()))
    seconds = round((bursts[begins[-1]] - bursts[begins[0]]) / OPUS) + 1
    return 1000 * apart / OPUS, broken + seconds - len(begins)


def _bursts(heard: Heard) -> Heard:
    """Return the position of each burst's middle, in frames."""
    frames = np.arange(len(heard))
    turned = heard * np.exp(-2j * np.pi * BURST_HZ * frames / OPUS)
    envelope = np.abs(signal.oaconvolve(turned, np.hanning(65), "same")) ** 2
    peaks, _ = signal.find_peaks(envelope, height=0.1 * envelope.max(), distance=OPUS // 20)
    near = np.arange(-OPUS // 100, OPUS // 100)
    weights = [
        envelope[peak + near] for peak in peaks if 0 < peak - OPUS // 100 < len(heard) - OPUS // 50
    ]
    kept = [peak for peak in peaks if 0 < peak - OPUS // 100 < len(heard) - OPUS // 50]
    return np.array([at + (w * near).sum() / w.sum() for at, w in zip(kept, weights, strict=True)])


def renderers() -> Iterator[Path]:
    """Yield the /proc folders of the renderers of Chromium processes that this process started."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except OSError:
            continue
    for pid in parents:
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        folder = Path("/proc", str(pid))
        try:
            if above == os.getpid() and b"--type=renderer" in (folder / "cmdline").read_bytes():
                yield folder
        except OSError:
            continue


def memory_mib() -> float:
    """Return the proportional set size (PSS) of the largest renderer."""
    lines = (
        line
        for folder in renderers()
        for line in (folder / "smaps_rollup").read_text().splitlines()
    )
    return max(
        (int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), default=0
    )


def audio_cpu_s() -> float:
    """Return the CPU seconds that the renderers' audio threads have used so far."""
    total = 0.0
    for folder in renderers():
        for task in (folder / "task").iterdir():
            if "Audio" in (task / "comm").read_text():
                fields = (task / "stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) * TICK_S
    return total


async def audio_share(seconds: float) -> float:
    """Return the share of a core that audio threads use, measured for `seconds`."""
    cpu, wall = audio_cpu_s(), time.monotonic()
    await asyncio.sleep(seconds)
    return (audio_cpu_s() - cpu) / (time.monotonic() - wall)


async def watch_memory(peak: list[float]) -> None:
    """Record the highest memory use in `peak[0]` until cancelled."""
    while True:
        peak[0] = max(peak[0], memory_mib())
        await asyncio.sleep(0.5)


async def made(server: MixerServer, url: str, packs: int) -> tuple[float, float]:
    """Return the seconds until the first pack is made, and until the last."""
    began = time.monotonic()
    await server.get(f"{url}0.opus")
    first = time.monotonic() - began
    is_made = False
    while not is_made:
        is_made = (await server.get(f"{url}{packs - 1}.opus"))[0] == 200
        await asyncio.sleep(0.1)
    return first, time.monotonic() - began


async def measure(
    browser: Browser, minutes: float, arguments: argparse.Namespace, *, phone: bool
) -> list[str]:
    """Return one row of the table."""
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        async with open_mixer(Path(folder), assets=assets()) as server:
            _, url = await server.put(song(minutes), recipe=Recipe.SIX_STEMS)
            first_pack_s, all_packs_s = await made(server, url, int(minutes * 30))
            how = PHONE if phone else {}
            listener = await Listener.open(browser, server, url, **how)
            await listener.page.wait_for_selector(".lane")
            await asyncio.sleep(2)
            first_ms = await listener.page.evaluate(FIRST_SOUND)
            plain = await audio_share(min(arguments.listen, minutes * 60 - 3))
            apart_ms, broken = skew_ms(await listener.heard())
            await listener.page.close()
            # The recorder would add to the memory use.
            page = await browser.new_page(**how)
            await page.add_init_script(WATCH)
            await page.goto(url)
            peak = [0.0]
            watching = asyncio.create_task(watch_memory(peak))
            await page.locator(".play").click()
            near, far = await seeks(page, minutes * 60, arguments.seeks)
            for name in ("key: lower", "speed: slower"):
                await page.get_by_role("button", name=name, exact=True).click()
            await asyncio.sleep(2)
            stretched = await audio_share(10)
            watching.cancel()
            await page.close()
    return [
        f"{minutes:g} min, {'phone' if phone else 'desktop'}",
        f"{first_pack_s:.2f} / {all_packs_s:.1f} s",
        f"{first_ms:.0f} ms",
        f"{apart_ms:.3f} ms / {broken}",
        f"{np.percentile(near, 95):.0f} ms",
        f"{np.percentile(far, 95):.0f} ms",
        f"{peak[0]:.0f} MiB",
        f"{100 * plain:.1f} / {100 * stretched:.1f} %",
    ]


async def seeks(page: Page, seconds: float, count: int) -> tuple[list[float], list[float]]:
    """Return the times of seeks in ms: within the loaded packs, and outside them."""
    rng = np.random.default_rng(3)
    near, far = [], []
    for _ in range(count):
        far.append(await page.evaluate(SEEK, float(rng.uniform(0, seconds - 30))))
        await asyncio.sleep(2.5)
        at = float(await page.locator(".position").input_value())
        near.append(await page.evaluate(SEEK, at + float(rng.uniform(-1.5, 4))))
        await asyncio.sleep(0.3)
    return near, far


async def main() -> None:
    """Measure both songs and print a table."""
    parser = argparse.ArgumentParser(prog="bench.mixer", description=__doc__)
    parser.add_argument(
        "--listen", type=float, default=237.0, help="seconds to record of each song"
    )
    parser.add_argument("--seeks", type=int, default=25, help="of each kind")
    parser.add_argument("--short", type=float, default=4.0, help="minutes, on a desktop")
    parser.add_argument("--long", type=float, default=20.0, help="minutes, on a phone")
    arguments = parser.parse_args()
    if stretch_file() is None:
        parser.error("the page's time stretcher is missing; fetch it with: make model")
    columns = (
        "song", "packs: first / all", "first sound", "skew / breaks",
        "seek, loaded, p95", "seek, cold, p95", "memory, peak", "audio thread: plain / key, speed",
    )  # fmt: skip
    table = Table(*columns)
    async with async_playwright() as playwright:
        for minutes, phone in ((arguments.short, False), (arguments.long, True)):
            # A new browser for each song, so that no memory is left over from the first.
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            table.add_row(*await measure(browser, minutes, arguments, phone=phone))
            await browser.close()
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
