"""What a benchmark keeps of each song: scores and costs, as JSON lines that a later run reuses."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from bench.material import Audio, global_sdr, median_sdr
from bench.separation.contestants import Contestant, Split
from bench.separation.dataset import KnownSong
from bot.audio.spool import SAMPLE_RATE
from bot.domain.recipes import Stem

_SETS = (
    (Stem.VOCALS, Stem.INSTRUMENTAL),
    (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER),
)
"""Stems that museval judges together, because they add up to the song."""
_FINER = (Stem.GUITAR, Stem.PIANO)
"""Stems that are part of `other` in the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A model's result for one song."""

    model: str
    sha256: str
    overlap: str
    device: str
    threads: int
    song: str
    frames: int
    cpu_s: float
    wall_s: float
    peak_mib: float
    left_over_db: float | None
    """The level of the song without its stems, or None if they are not meant to add up."""
    global_sdr: dict[str, float]
    museval_sdr: dict[str, float] | None
    """None if it was not measured."""

    @property
    def duration_s(self) -> float:
        return self.frames / SAMPLE_RATE

    def with_other_level(
        self, song: KnownSong, stems: Mapping[Stem, Audio], *, cache: Path | None
    ) -> "Score":
        """Return the score of the same file with each segment's spectrum normalised."""
        return replace(
            self,
            model=f"{self.model}, spectrum normalised",
            left_over_db=_left_over_db(song.mixture, stems),
            global_sdr=global_scores(song, stems),
            museval_sdr=None if cache is None else museval_scores(song, stems, cache),
        )


def judge(
    contestant: Contestant, song: KnownSong, split: Split, *, threads: int, cache: Path | None
) -> Score:
    """Compare stems with the true ones; without a cache for museval, by the global SDR only."""
    stems = comparable(split.stems)
    return replace(
        cost_of(contestant, song, split, threads=threads),
        left_over_db=_left_over_db(song.mixture, stems),
        global_sdr=global_scores(song, stems),
        museval_sdr=None if cache is None else museval_scores(song, stems, cache),
    )


def cost_of(contestant: Contestant, song: KnownSong, split: Split, *, threads: int) -> Score:
    """Return what a separation took, without its quality."""
    return Score(
        model=contestant.name,
        sha256=contestant.sha256,
        overlap=contestant.overlap,
        device=contestant.splitter.device,
        threads=threads,
        song=song.name,
        frames=song.mixture.shape[1],
        cpu_s=split.cpu_s,
        wall_s=split.wall_s,
        peak_mib=split.peak_mib,
        left_over_db=None,
        global_sdr={},
        museval_sdr=None,
    )


def comparable(stems: Mapping[Stem, Audio]) -> dict[Stem, Audio]:
    """Return the stems that the reference also has.

    The instrumental of a model with lead vocals contains the backing vocals, so it differs from
    the reference's.
    """
    known = {stem: stems[stem] for each in _SETS for stem in each if stem in stems}
    if Stem.OTHER in known:
        finer = [stems[stem] for stem in _FINER if stem in stems]
        known[Stem.OTHER] = np.sum([known[Stem.OTHER], *finer], axis=0)
    if Stem.LEAD_VOCALS in stems:
        known.pop(Stem.INSTRUMENTAL, None)
    return known


def global_scores(song: KnownSong, stems: Mapping[Stem, Audio]) -> dict[str, float]:
    """Return the global SDR of each stem."""
    return {stem: round(global_sdr(song.truth[stem], made), 3) for stem, made in stems.items()}


def museval_scores(song: KnownSong, stems: Mapping[Stem, Audio], cache: Path) -> dict[str, float]:
    """Return museval's median SDR of each stem; it takes minutes for a song."""
    scores: dict[str, float] = {}
    for judged in _SETS:
        if set(judged) <= stems.keys():
            truth = [song.truth[stem] for stem in judged]
            sdr = median_sdr(truth, [stems[stem] for stem in judged], cache)
            scores |= {stem: round(value, 3) for stem, value in zip(judged, sdr, strict=True)}
    return scores


def _left_over_db(mixture: Audio, stems: Mapping[Stem, Audio]) -> float | None:
    """Return the level of the song minus the stems of the largest complete set."""
    for judged in reversed(_SETS):
        if set(judged) <= stems.keys():
            rest = mixture - np.sum([stems[stem] for stem in judged], axis=0)
            level = float(np.sqrt(np.mean(np.square(rest, dtype=np.float64))))
            return round(20 * math.log10(max(level, 1e-12)), 1)
    return None


class ScoreFile:
    """The scores of earlier runs, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Score]:
        """Return all complete lines; one that a killed run left unfinished is ignored."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [score for line in lines if (score := _score(line)) is not None]

    def add(self, score: Score) -> None:
        """Append a score as one line."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            file.seek(0)
            begins_anew = not (content := file.read()) or content.endswith(b"\n")
            file.write((b"" if begins_anew else b"\n") + json.dumps(asdict(score)).encode() + b"\n")


def _score(line: str) -> Score | None:
    try:
        return Score(**json.loads(line))
    except (ValueError, TypeError):
        return None


def found(
    scores: Iterable[Score], contestant: Contestant, song: str, *, needs_museval: bool
) -> Score | None:
    """Return an earlier score of the same file, overlap, device and song, if there is one."""
    wanted = (contestant.name, contestant.sha256, contestant.overlap, song)
    for score in scores:
        told = (score.model, score.sha256, score.overlap, score.song)
        if told == wanted and (score.museval_sdr is not None or not needs_museval):
            return score
    return None


def stems_in(scores: Sequence[Score]) -> list[Stem]:
    """Return all stems that the scores name, in the order in which they are shown."""
    named = {stem for score in scores for stem in score.global_sdr}
    shown = (*_SETS[1], Stem.INSTRUMENTAL)
    return [stem for stem in shown if stem in named]
