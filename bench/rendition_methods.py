"""Methods that change the key and speed of masters: Stemcord's, FFmpeg's filters and librosa."""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.filter import Graph

from bench.rendition_sounds import Sound, sounds
from bot.audio.child import master
from bot.audio.child.rendering.render import render
from bot.audio.rendition_tasks import MasterPart, RenderedOutput, RenderTask, frames_of
from bot.audio.spool import SAMPLE_RATE

_BLOCK = 1 << 16
_LIBROSA = Path(__file__).with_name("librosa_rendition.py")

Render = Callable[[Mapping[str, Path], int, int], dict[str, Sound]]


@dataclass(frozen=True, slots=True)
class Method:
    """A method; `render` takes masters by name, cents and a speed in percent."""

    name: str
    render: Render
    cost_here: Callable[[Path], tuple[str, str]] | None = None

    def cost(self, scratch: Path, *, minutes: float) -> tuple[str, str]:
        """Return the CPU time of rendering one master, and any further figures, as text."""
        path = scratch / "cost.flac"
        if not path.exists():
            part = sounds(10.0, {"chord": 277.18, "voice": 220.0, "bass": 55.0})["chord"]
            write(path, *(part for _ in range(round(minutes * 6))))
        if self.cost_here:
            return self.cost_here(path)
        begun = time.process_time()
        self.render({"cost": path}, -200, 90)
        return f"{time.process_time() - begun:.1f} s", ""


def read(path: Path) -> Sound:
    with master.opened(path) as container:
        return np.concatenate(list(master.blocks(container)))


def write(path: Path, *parts: Sound) -> None:
    with master.written(path) as append:
        for part in parts:
            for start in range(0, len(part), _BLOCK):
                append(part[start : start + _BLOCK])


def _ours(masters: Mapping[str, Path], cents: int, speed: int) -> dict[str, Sound]:
    with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as folder:
        made = {}
        for name, path in masters.items():  # one task each: a task's outputs share a gain
            into = Path(folder) / f"{name}.flac"
            part = MasterPart(master=path, is_drums=name == "drums")
            render(
                RenderTask(
                    files=(RenderedOutput(path=into, parts=(part,)),),
                    frames=frames_of(path),
                    cents=cents,
                    speed_percent=speed,
                )
            )
            made[name] = read(into)
        return made


def _ffmpegs(masters: Mapping[str, Path], cents: int, speed: int) -> dict[str, Sound]:
    return {name: _filtered(read(path), cents, speed) for name, path in masters.items()}


def _filtered(sound: Sound, cents: int, speed: int) -> Sound:
    """Apply FFmpeg's asetrate, aresample and atempo."""
    rate = round(SAMPLE_RATE * 2 ** (cents / 1200))
    graph = Graph()
    graph.link_nodes(
        graph.add_abuffer(sample_rate=SAMPLE_RATE, format="flt", layout="stereo"),
        graph.add("asetrate", str(rate)),
        graph.add("aresample", str(SAMPLE_RATE)),
        graph.add("atempo", f"{speed / 100 * SAMPLE_RATE / rate:.9f}"),
        graph.add("aformat", "sample_fmts=flt:channel_layouts=stereo"),
        graph.add("abuffersink"),
    ).configure()
    pieces = []
    for start in [*range(0, len(sound), _BLOCK), None]:
        if start is None:
            graph.push(None)
        else:
            block = sound[start : start + _BLOCK].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            graph.push(frame)
        while True:
            try:
                pieces.append(graph.pull().to_ndarray().reshape(-1, 2))
            except (av.error.BlockingIOError, av.error.EOFError):
                break
    return np.concatenate(pieces)


METHODS = (Method("Stemcord", _ours), Method("FFmpeg", _ffmpegs))


def librosa_method(python: Path) -> Method:
    """Return the method that runs librosa in another interpreter."""

    def run(path: Path, cents: int, speed: int, into: Path) -> dict[str, float]:
        source = into.with_suffix(".in.f32")
        read(path).astype("<f4").tofile(source)
        done = subprocess.run(
            [str(python), str(_LIBROSA), str(source), str(into), str(cents), str(speed)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        told: dict[str, float] = json.loads(done.stdout)
        return told

    def rendered(masters: Mapping[str, Path], cents: int, speed: int) -> dict[str, Sound]:
        made = {}
        with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as folder:
            for name, path in masters.items():
                into = Path(folder) / f"{name}.f32"
                run(path, cents, speed, into)
                made[name] = np.fromfile(into, "<f4").reshape(-1, 2)
        return made

    def cost(path: Path) -> tuple[str, str]:
        with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as folder:
            told = run(path, -200, 90, Path(folder) / "out.f32")
        return f"{told['cpu_s']:.1f} s", f"{told['peak_mib']:.0f} MiB"

    return Method("librosa", rendered, cost)
