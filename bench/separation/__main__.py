"""Compares the models on this machine: their quality on songs with known stems, and their cost.

    python -m bench.separation [--models spleeter,scnet] [--minutes 1] [--threads 2]
    python -m bench.separation --dataset MUSDB18-HQ/ --models scnet,htdemucs --songs 10

Without a data set, quality is measured on a 6-second clip and cost on a longer song made of it. The
clip and museval are fetched once, by pip, into the cache folder. With a data set, each result is
appended to a file of JSON lines, and a later run continues from there; museval takes about 4 s of
CPU time per second of song and model, which `--measure global` saves. The output is Markdown.
The model `mixture` is the song itself in place of every stem, the baseline that a model must
surpass, and `studio:NAME` is a model of the studio that STEMCORD_STUDIO_ACCEPT names. With
`--graph scnet=FILE`, the cost of a model is also measured with another graph, such as the same
network with random weights, where its own file cannot be had.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.material import Audio
from bench.separation.checks import checks
from bench.separation.contestants import Contestant, NotHere, contestant, with_graph
from bench.separation.dataset import KnownSong, NoDataset, read_song, song_folders, the_clip
from bench.separation.scnet_levels import split_levelled
from bench.separation.score_tables import document
from bench.separation.scores import Score, ScoreFile, cost_of, found, judge
from bot.audio.spool import SAMPLE_RATE
from bot.domain.errors import EngineFailed, ModelUnavailable, NoRoom
from bot.engine.model_catalogue import MODELS
from bot.engine.model_declaration import StageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure, and how."""

    models: tuple[str, ...]
    models_dir: Path
    threads: int
    cache: Path
    minutes: float
    has_museval: bool
    graphs: tuple[tuple[str, Path], ...] = ()
    """Models whose cost is measured with another graph."""

    @property
    def judge_cache(self) -> Path | None:
        """The folder of museval; None if its scores are not requested."""
        return self.cache if self.has_museval else None


class Comparison:
    """The results so far, and the models that cannot be run."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.quality: list[Score] = []
        self.cost: list[Score] = []
        self.absent: dict[str, str] = {}
        self.failures = 0

    async def on_clip(self, song: KnownSong) -> None:
        """Measure each model's quality on a clip, and then its cost on a longer song."""
        for name in self._options.models:
            try:
                async with self._contestant(name) as each:
                    await self._measure(each, song)
            except (NotHere, EngineFailed, ModelUnavailable, NoRoom) as exc:
                self.absent[name] = str(exc)
        for name, graph in self._options.graphs:
            title = f"{name}, {graph.name}"
            try:
                async with with_graph(name, graph, threads=self._options.threads) as each:
                    await each.split(song.mixture)  # loads the graph
                    await self._measure_cost(replace(each, name=title), song)
            except (NotHere, EngineFailed, ModelUnavailable, NoRoom) as exc:
                self.absent[title] = str(exc)

    async def on_dataset(self, folders: Sequence[Path], scores: ScoreFile) -> None:
        """Measure each model on each song for which the file has no result."""
        earlier = scores.read()
        for name in self._options.models:
            try:
                async with self._contestant(name) as each:
                    for folder in folders:
                        await self._score(each, folder, scores, earlier)
            except NotHere as exc:
                self.absent[name] = str(exc)
        self.cost = self.quality

    async def _measure(self, each: Contestant, song: KnownSong) -> None:
        options = self._options
        _tell(f"{each.name}: quality")
        split = await each.split(song.mixture)
        score = judge(each, song, split, threads=options.threads, cache=options.judge_cache)
        self.quality.append(score)
        if _is_scnet(each.name):
            self._try_other_level(each, song, score)
        await self._measure_cost(each, song)

    async def _measure_cost(self, each: Contestant, clip: KnownSong) -> None:
        options = self._options
        _tell(f"{each.name}: cost")
        mixture = _repeated(clip.mixture, minutes=options.minutes)
        song = KnownSong(name=f"{options.minutes:g} min", mixture=mixture, truth={})
        split = await each.split(mixture)
        self.cost.append(cost_of(each, song, split, threads=options.threads))

    def _try_other_level(self, each: Contestant, song: KnownSong, score: Score) -> None:
        """Measure SCNet's file at the other level, which should give worse results."""
        options = self._options
        weights = options.models_dir / MODELS[each.name].file_name
        stems = split_levelled(weights, song.mixture, threads=options.threads)
        self.quality.append(score.with_other_level(song, stems, cache=options.judge_cache))

    async def _score(
        self, each: Contestant, folder: Path, scores: ScoreFile, earlier: Sequence[Score]
    ) -> None:
        options = self._options
        score = found(earlier, each, folder.name, needs_museval=options.has_museval)
        if score is None:
            _tell(f"{each.name}: {folder.name}")
            song = read_song(folder)
            try:
                split = await each.split(song.mixture)
            except (EngineFailed, ModelUnavailable, NoRoom) as exc:
                self.failures += 1
                _tell(f"{each.name}: {folder.name} failed: {exc}")
                return
            score = judge(each, song, split, threads=options.threads, cache=options.judge_cache)
            scores.add(score)
        self.quality.append(score)

    def _contestant(self, name: str) -> AbstractAsyncContextManager[Contestant]:
        return contestant(name, models_dir=self._options.models_dir, threads=self._options.threads)


def _is_scnet(name: str) -> bool:
    return name in MODELS and MODELS[name].steps[0].kind is StageKind.SCNET


def _repeated(song: Audio, *, minutes: float) -> Audio:
    frames = int(minutes * 60 * SAMPLE_RATE)
    return np.tile(song, -(-frames // song.shape[1]))[:, :frames]


def _named_graph(text: str) -> tuple[str, Path]:
    name, is_named, path = text.partition("=")
    if not is_named:
        raise argparse.ArgumentTypeError("expected MODEL=FILE")
    return name, Path(path)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench.separation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", default=",".join(("mixture", *MODELS)))
    parser.add_argument("--models-dir", type=Path, default=Path("data/models"))
    parser.add_argument("--threads", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--cache", type=Path, default=Path("data/bench"))
    parser.add_argument("--minutes", type=float, default=1.0, help="length of the song for cost")
    parser.add_argument("--measure", choices=("both", "global"), default="both")
    parser.add_argument("--dataset", type=Path, help="a folder like MUSDB18-HQ")
    parser.add_argument("--songs", type=int, help="of the data set, the first ones by name")
    parser.add_argument(
        "--graph",
        type=_named_graph,
        action="append",
        default=[],
        metavar="MODEL=FILE",
        help="also measure a model's cost with this graph in place of its file",
    )
    parser.add_argument("--results", type=Path, default=Path("data/bench/separation.jsonl"))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; return 1 if a song failed."""
    told = _parser().parse_args(arguments)
    options = Options(
        models=tuple(name.strip() for name in told.models.split(",")),
        models_dir=told.models_dir,
        threads=told.threads,
        cache=told.cache,
        minutes=told.minutes,
        has_museval=told.measure == "both",
        graphs=tuple(told.graph),
    )
    comparison = Comparison(options)
    if told.dataset is None:
        asyncio.run(comparison.on_clip(the_clip(options.cache)))
        title = f"Separation of a clip, and of {options.minutes:g} min"
    else:
        try:
            folders = song_folders(told.dataset, most=told.songs)
        except NoDataset as exc:
            _tell(str(exc))
            return 2
        asyncio.run(comparison.on_dataset(folders, ScoreFile(told.results)))
        title = f"Separation of {len(folders)} songs in {told.dataset.name}"
    print(document(comparison.quality, comparison.cost, comparison.absent, title=title))
    if told.dataset is None:
        print(f"\n{checks(threads=options.threads)}")
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
