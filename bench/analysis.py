"""Measures how accurately the analysis finds key, tempo, tuning and beats, and what it costs.

    python -m bench.analysis [--seed 1] [--songs 60] [--librosa .venv-librosa/bin/python]

The songs come from tests/support/synthetic_songs.py and are analysed stem by stem: first clean,
then with bleed and noise, where only keys reported as likely count. Time and memory are measured in
a separate process that analyses four masters of four minutes. librosa 0.11 analyses the mix; it
needs a separate environment, made by `python -m venv` and `pip install librosa==0.11.*`.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bot.audio.analysis_task import AnalyseTask, Listened, Role, role_of
from bot.audio.child.analysis.analyse import Listener, analyse
from bot.audio.child.analysis.mono_blocks import BLOCK, Mono
from bot.domain.analysis import Analysis, Certainty
from bot.domain.recipes import Stem
from tests.support import beats
from tests.support.synthetic_songs import RATE, Song, Truth, make, songs, write

SEED = 1
SONGS = 60
COST_S = 240.0
_LIBROSA = Path(".venv-librosa/bin/python")
_BEAT_TOLERANCE_S = 0.07
_TEMPO_TOLERANCE = 0.04
_MIB = 1024
"""In KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A measured figure and its limit."""

    name: str
    measured: float
    limit: float
    is_most: bool = False
    """Whether the limit is a maximum instead of a minimum."""
    librosa: float | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the figure is within its limit."""
        return self.measured <= self.limit if self.is_most else self.measured >= self.limit

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row for a table: name, measured, limit, librosa's figure."""
        sign = "at most" if self.is_most else "at least"
        beside = "" if self.librosa is None else f"{self.librosa:.3g}"
        return self.name, f"{self.measured:.3g}", f"{sign} {self.limit:g}", beside


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The results for one song; a tempo of 0 and an empty `beats_s` mean that none was found."""

    bpm: float
    key: str
    cents: float
    beats_s: beats.Times

    @classmethod
    def of(cls, analysis: Analysis) -> "_Found":
        return cls(
            bpm=analysis.tempo.bpm if analysis.tempo else 0.0,
            key=analysis.key.key.tag if analysis.key else "",
            cents=analysis.tuning_cents if analysis.tuning_cents is not None else 1e3,
            beats_s=beats.times(analysis.grid) if analysis.grid else np.zeros(0),
        )


def rows(*, seed: int = SEED, count: int = SONGS, librosa: Path | None = None) -> Sequence[Row]:
    """Measure a set of songs; `librosa` is a Python interpreter that can import librosa."""
    truths = songs(seed, count)
    ours: list[_Found] = []
    bars: list[bool] = []
    likely_and_right: list[bool] = []
    played: list[beats.Times] = []
    for truth in truths:
        song = make(truth)
        played.append(song.beats_s)
        analysis = heard(song.stems)
        ours.append(_Found.of(analysis))
        bars.extend(_bars(song, analysis))
        soiled = heard(song.soiled().stems).key
        if soiled and soiled.certainty is Certainty.LIKELY:
            likely_and_right.append(soiled.key == truth.key)
    figures = _figures(truths, played, ours)
    beside = _figures(truths, played, _by_librosa(librosa, truths)) if librosa else {}
    wrong = 100 * likely_and_right.count(False) / max(1, len(likely_and_right))
    cpu_s, peak_mib = cost()
    limits = {"tempo or its octave": 59, "tempo exact": 45, "key exact": 54}
    return [
        *(
            Row(
                name=f"{name}, of {count}",
                measured=figures[name],
                limit=limit * count / SONGS,
                librosa=beside.get(name),
            )
            for name, limit in limits.items()
        ),
        Row(name='"likely" keys wrong, with bleed, %', measured=wrong, limit=8, is_most=True),
        Row(
            name="tuning, 95th percentile, cents",
            measured=figures["tuning"],
            limit=2,
            is_most=True,
            librosa=beside.get("tuning"),
        ),
        Row(
            name="beat F, octave tolerant",
            measured=figures["beats"],
            limit=0.94,
            librosa=beside.get("beats"),
        ),
        Row(
            name="bar line right, where the tempo is",
            measured=float(np.mean(bars or [False])),
            limit=0.9,
        ),
        Row(name="CPU s, 4 minutes", measured=cpu_s, limit=5, is_most=True),
        Row(name="peak MiB, 4 minutes", measured=peak_mib, limit=256, is_most=True),
    ]


def heard(stems: Mapping[Stem, np.ndarray]) -> Analysis:
    """Analyse waves as the audio child analyses masters."""
    roles = {role_of(stem): wave.astype(np.float32) for stem, wave in stems.items()}
    listener = Listener(frozenset(roles))
    for block in _blocks(roles):
        listener.add(block)
    return listener.analysis()


def cost() -> tuple[float, float]:
    """Return the CPU seconds and the peak memory in MiB of analysing a song of four minutes."""
    truth = replace(songs(SEED, SONGS)[0], seconds=COST_S)
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        for stem, wave in make(truth).stems.items():
            write(wave, Path(folder) / f"{stem}.flac")
        command = [sys.executable, "-m", "bench.analysis", "--cost-of", folder]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu_s, peak_mib = map(float, told.split())
    return cpu_s, peak_mib


def _blocks(roles: Mapping[Role, Mono]) -> Iterator[Mapping[Role, Mono]]:
    for start in range(0, len(next(iter(roles.values()))), BLOCK):
        yield {role: wave[start : start + BLOCK] for role, wave in roles.items()}


def _figures(
    truths: Sequence[Truth], played: Sequence[beats.Times], found: Sequence[_Found]
) -> dict[str, float]:
    ratios = np.array([each.bpm / truth.bpm for each, truth in zip(found, truths, strict=True)])
    is_near = [np.abs(ratios / octave - 1) < _TEMPO_TOLERANCE for octave in (1, 2, 0.5)]
    off = np.array([each.cents - truth.cents for each, truth in zip(found, truths, strict=True)])
    keys = [each.key == truth.key.tag for each, truth in zip(found, truths, strict=True)]
    measures = [
        beats.octave_tolerant_f(each.beats_s, true)
        for each, true in zip(found, played, strict=True)
    ]
    return {
        "tempo exact": float(is_near[0].sum()),
        "tempo or its octave": float(np.any(is_near, axis=0).sum()),
        "key exact": float(sum(keys)),
        "tuning": float(np.percentile(np.abs((off + 50) % 100 - 50), 95)),
        "beats": float(np.mean(measures)),
    }


def _bars(song: Song, analysis: Analysis) -> Iterator[bool]:
    """Yield whether the bar line is right; yield nothing if the tempo is wrong."""
    grid = analysis.grid
    if grid is None or abs(60 / grid.period_s / song.truth.bpm - 1) > _TEMPO_TOLERANCE:
        return
    downbeat_s = beats.times(grid)[grid.downbeat]
    every = song.truth.beats_per_bar
    is_near = np.abs(song.beats_s[::every] - downbeat_s).min() < _BEAT_TOLERANCE_S
    yield bool(is_near) and grid.beats_per_bar == every


def _by_librosa(python: Path, truths: Sequence[Truth]) -> Sequence[_Found]:
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        for number, truth in enumerate(truths):
            mix = np.rint(make(truth).mixed() * 32_767).astype(np.int16)
            np.save(Path(folder) / f"{number:04}.npy", mix)
        command = [str(python), "-m", "bench.librosa_reference", folder, str(RATE)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [_Found(**{**each, "beats_s": np.array(each["beats_s"])}) for each in told]


def _print_cost(folder: Path) -> None:
    parts = [
        Listened(master=path, role=role_of(Stem(path.stem))) for path in sorted(folder.iterdir())
    ]
    analyse(AnalyseTask(parts=tuple(parts[:1])))  # warms up
    before = _cpu_s()
    analyse(AnalyseTask(parts=tuple(parts)))
    # ru_maxrss would include the memory that the parent held when it forked.
    status = Path("/proc/self/status").read_text()
    peak_mib = int(status.split("VmHWM:")[1].split()[0]) / _MIB
    print(_cpu_s() - before, peak_mib)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure and print a table; exit with status 1 if a figure is outside its limit."""
    parser = argparse.ArgumentParser(prog="bench.analysis", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--songs", type=int, default=SONGS)
    parser.add_argument("--librosa", type=Path, default=_LIBROSA, help="a Python that has it")
    parser.add_argument("--cost-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cost_of:
        _print_cost(arguments.cost_of)
        return
    librosa = arguments.librosa if arguments.librosa.exists() else None
    measured = rows(seed=arguments.seed, count=arguments.songs, librosa=librosa)
    title = f"Key, tempo, tuning and beats of {arguments.songs} songs, seed {arguments.seed}"
    table = Table("figure", "measured", "limit", "librosa 0.11", title=title)
    for row in measured:
        table.add_row(*row.cells, style="" if row.is_kept else "bold red")
    Console().print(table)
    sys.exit(any(not row.is_kept for row in measured))


if __name__ == "__main__":
    main()
