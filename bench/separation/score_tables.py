"""Writes scores as Markdown, with what identifies the machine and the models."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from statistics import mean, median

from bench.separation.scores import Score, stems_in
from bot.domain.recipes import Stem
from bot.engine.memory import memory_limit_mib
from bot.engine.model_catalogue import MODELS

_MEASURES = (
    "Each cell has the global SDR and museval's median SDR in dB, each the median of the songs. "
    "The two measures differ by more than models do, so compare within one."
)
_LIBRARIES = ("numpy", "scipy", "onnxruntime")


def document(
    quality: Sequence[Score], cost: Sequence[Score], absent: Mapping[str, str], *, title: str
) -> str:
    """Return a whole page: the machine, the quality and the cost of each model."""
    quality_rows, cost_rows = _quality(quality, absent), _cost(cost, absent)
    blocks = (f"# {title}", _machine(), table(quality_rows), _MEASURES, table(cost_rows))
    return "\n\n".join(blocks)


def _machine() -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    memory_mib = memory_limit_mib()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} cores, "
        f"{f'{memory_mib:,} MiB' if memory_mib else 'unknown memory'}, load "
        f"{os.getloadavg()[0]:.1f}; Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _by_model(scores: Iterable[Score]) -> Iterator[tuple[str, list[Score]]]:
    ordered = list(scores)
    order = list(dict.fromkeys(score.model for score in ordered))
    ordered.sort(key=lambda score: order.index(score.model))
    for model, group in groupby(ordered, key=lambda score: score.model):
        yield model, list(group)


def _quality(scores: Sequence[Score], absent: Mapping[str, str]) -> Iterator[list[str]]:
    stems = stems_in(scores)
    yield ["model", "songs", *stems, "left over"]
    for model, own in _by_model(scores):
        cells = [f"{_median(own, s)} / {_median(own, s, of='museval_sdr')}" for s in stems]
        left = [score.left_over_db for score in own if score.left_over_db is not None]
        yield [model, str(len(own)), *cells, f"{max(left):.0f} dBFS" if left else "-"]
    for model, reason in absent.items():
        yield [model, "0", *("-" for _ in stems), f"not here: {reason}"]


def _median(scores: Sequence[Score], stem: Stem, *, of: str = "global_sdr") -> str:
    every = [getattr(score, of) or {} for score in scores]
    values = [each[stem] for each in every if stem in each]
    if not values:
        return "-"
    spread = f" (mean {mean(values):.2f})" if len(values) > 1 and of == "global_sdr" else ""
    return f"{median(values):.2f}{spread}"


def _cost(scores: Sequence[Score], absent: Mapping[str, str]) -> Iterator[list[str]]:
    yield [
        "model",
        "CPU s per second",
        "declared CPU s",
        "wall s per second",
        "worker's peak",
        "declared peak",
        "device",
        "threads",
        "overlap",
        "file (sha256)",
    ]
    for model, own in _by_model(scores):
        seconds = sum(score.duration_s for score in own)
        declared = MODELS.get(model.partition(",")[0])  # the name of a graph may follow
        yield [
            model,
            f"{sum(score.cpu_s for score in own) / seconds:.2f}",
            f"{declared.cost.cpu_s_per_s:g}" if declared else "-",
            f"{sum(score.wall_s for score in own) / seconds:.2f}",
            f"{max(score.peak_mib for score in own):,.0f} MiB",
            f"{declared.cost.memory_mib:,} MiB" if declared else "-",
            own[0].device,
            str(own[0].threads),
            own[0].overlap,
            own[0].sha256[:12],
        ]
    for model in absent:
        yield [model, *("not here" if cell == 0 else "-" for cell in range(9))]


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as Markdown; the first one is the header."""
    header, *rest = rows
    lines = (header, ["---"] * len(header), *rest)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
