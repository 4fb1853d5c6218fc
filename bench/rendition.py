"""Compares renditions with other methods: pitch, length, attacks, drift, peaks, time and memory.

    make bench ARGS=rendition          (ARGS="rendition --minutes 4" for a short run)

FFmpeg's filters are measured for comparison, and librosa where a separate environment has it:
`python3 -m venv .venv-librosa && .venv-librosa/bin/pip install librosa`.
"""

import argparse
import asyncio
import hashlib
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.children_watch import watched
from bench.rendition_methods import METHODS, Method, librosa_method, read, write
from bench.rendition_sounds import attacks, bursts, drums, shifts_ms, song_of, sounds
from bot.audio.rendition_tasks import MasterPart, RenderedOutput
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tools import AudioTools
from bot.domain.recipes import AudioFormat

CHANGES = ((-200, 100), (300, 100), (0, 90), (300, 75), (-500, 50))
SECONDS = 24.0
KEYS = [-12, -6, -3, 3, 5, 6, 12]
_WIDTH = 150
PITCHES_HZ = {"chord": 277.18, "voice": 220.0, "bass": 55.0}


def quality(methods: list[Method], scratch: Path) -> Table:
    """Compare the methods on sounds whose pitch and attacks are known."""
    table = Table(
        "key, speed", "method", *(f"{name}, cents" for name in PITCHES_HZ), "length, frames",
        "attacks, ms", "bursts, ms", "drums, ms", "drums kept", "peak, dBFS",
        title="Errors (attacks: mean, worst)",
    )  # fmt: skip
    made = {
        **sounds(SECONDS, PITCHES_HZ),
        "attacks": attacks(SECONDS),
        "bursts": bursts(SECONDS),
        "drums": drums(SECONDS),
    }
    made["mix"] = song_of(made)
    masters = {name: scratch / f"{name}.flac" for name in made}
    for name, sound in made.items():
        write(masters[name], sound)
    for cents, speed in CHANGES:
        for method in methods:
            results = method.render(masters, cents, speed)
            errors = [
                f"{1200 * np.log2(pitch_hz(results[name], hz, cents) / hz) - cents:+.2f}"
                for name, hz in PITCHES_HZ.items()
            ]
            length = len(results["chord"]) - round(SECONDS * SAMPLE_RATE * 100 / speed)
            struck = ("attacks", "bursts", "drums")
            shifts = (shifts_ms(made[name], results[name], speed) for name in struck)
            kept = np.array_equal(results["drums"], read(masters["drums"]))
            table.add_row(
                f"{cents / 100:+g}, {speed} %",
                method.name,
                *errors,
                str(length),
                *(f"{mean:+.2f}, {worst:.2f}" for mean, worst in shifts),
                "yes" if kept else "no",
                f"{20 * np.log10(np.abs(results['mix']).max()):+.2f}",
            )
    return table


def pitch_hz(sound: np.ndarray, hz: float, cents: int) -> float:
    """Return the strongest frequency within a semitone of the expected pitch."""
    middle = sound[SAMPLE_RATE:-SAMPLE_RATE].sum(axis=1)
    size = 1 << int(np.ceil(np.log2(len(middle)))) + 1
    spectrum = np.abs(np.fft.rfft(middle * np.blackman(len(middle)), size))
    wanted = hz * 2 ** (cents / 1200) * size / SAMPLE_RATE
    low, high = (int(wanted * 2 ** (semitone / 12)) for semitone in (-1, 1))
    at = low + int(spectrum[low:high].argmax())
    before, here, after = np.log(spectrum[at - 1 : at + 2])
    return (at + (before - after) / (2 * (before - 2 * here + after))) * SAMPLE_RATE / size


def drift(method: Method, scratch: Path) -> str:
    """Compare the attacks at the beginning and at the end of 20 minutes."""
    master, minutes = scratch / "drift.flac", 20
    sound = attacks(60.0)
    with_repeats = (sound for _ in range(minutes))
    write(master, *with_repeats)
    made = method.render({"drift": master}, 100, 97)["drift"]
    a_minute = 60 * SAMPLE_RATE * 100 / 97
    first, last = (
        shifts_ms(sound, made[round(n * a_minute) :][: round(a_minute)], 97)[0]
        for n in (0, minutes - 1)
    )
    return f"{last - first:+.3f} ms between the first and the last of {minutes} minutes"


async def cost(
    minutes: float, scratch: Path, *, cents: int, names: tuple[str, str], runs: int = 2
) -> tuple[str, ...]:
    """Render two masters as a mix in another key and encode the mix, `runs` times."""
    masters = [scratch / f"{name}-{minutes:g}.flac" for name in names]
    part = {**sounds(10.0, PITCHES_HZ), "bursts": bursts(10.0)}
    for path, name in zip(masters, names, strict=True):
        if not path.exists():
            write(path, *(part[name] for _ in range(round(minutes * 6))))
    digests, measured = set(), None
    for _ in range(runs):
        mix, mp3 = scratch / "mix.flac", scratch / "mix.mp3"
        parts = (MasterPart(master=masters[0], level_percent=25), MasterPart(master=masters[1]))
        async with AudioTools() as tools, watched() as children:
            await tools.render([RenderedOutput(path=mix, parts=parts)], cents=cents)
            rendered_s = children.cpu_s
            await tools.encode(mix, mp3, format=AudioFormat.MP3, max_bytes=None)
            measured = (rendered_s, children.cpu_s, children.peak_mib)
        digests.add(hashlib.sha256(mp3.read_bytes()).hexdigest())
    rendered_s, all_s, peak_mib = measured or (0.0, 0.0, 0.0)
    return (
        f"{minutes:g} min, {cents / 100:+g}",
        " and ".join(names),
        f"{rendered_s:.1f} s",
        f"{all_s:.1f} s",
        f"{peak_mib:.0f} MiB",
        ("yes" if len(digests) == 1 else "no") if runs > 1 else "",
    )


def costs(minutes: list[float], keys: list[int], scratch: Path) -> Table:
    """Measure every length in another key, and the shortest one in every key, with bursts."""
    table = Table("song", "of", "render, CPU", "and MP3, CPU", "peak", "equal bytes", title="A mix")
    for each in minutes:
        table.add_row(*asyncio.run(cost(each, scratch, cents=-200, names=("voice", "chord"))))
    for key in keys:
        measured = cost(min(minutes), scratch, cents=100 * key, names=("bursts", "chord"), runs=1)
        table.add_row(*asyncio.run(measured))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, nargs="*", default=[4, 20])
    parser.add_argument("--keys", type=int, nargs="*", default=KEYS, help="in semitones")
    parser.add_argument("--only-costs", action="store_true", help="no comparison of methods")
    parser.add_argument("--librosa", type=Path, default=Path(".venv-librosa/bin/python"))
    options = parser.parse_args()
    console = Console(width=max(_WIDTH, Console().width))
    if options.only_costs:
        with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as folder:
            console.print(costs(options.minutes, options.keys, Path(folder)))
        return
    methods = list(METHODS)
    if options.librosa.exists():
        methods.append(librosa_method(options.librosa))
    else:
        console.print(f"Without librosa: {options.librosa} is not there.")
    with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as folder:
        scratch = Path(folder)
        console.print(quality(methods, scratch))
        speed = Table("method", "CPU time", "peak", title="One master, -2, 90 %")
        for method in methods:
            speed.add_row(method.name, *method.cost(scratch, minutes=min(options.minutes)))
        console.print(speed)
        console.print(f"Drift: {drift(METHODS[0], scratch)}")
        console.print(costs(options.minutes, options.keys, scratch))


if __name__ == "__main__":
    main()
