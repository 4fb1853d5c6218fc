"""Figures of SCNet's stage and of the studio's worker, both with small random networks."""

from collections.abc import Iterator

from bench.separation.scnet_reference import worst_agreement_db
from bench.separation.score_tables import table
from bench.separation.studio_figures import studio_figures
from bot.cli.opening.studio_opening import studio_python
from bot.config import load_settings


def checks(*, threads: int) -> str:
    """Return a table with each figure and what is wanted."""
    return table(_rows(threads))


def _rows(threads: int) -> Iterator[list[str]]:
    yield ["check", "measured", "wanted"]
    worst_db = worst_agreement_db(threads=threads)
    stage = "SCNet's stage against a plain loop over the whole song: worst stem, ends included"
    yield [stage, f"{worst_db:.0f} dB", "at least 120 dB"]
    studio = studio_figures(python=studio_python(load_settings()), threads=threads)
    worker = f"the studio's worker with {studio.network}"
    yield [f"{worker}: the song minus its stems", f"{studio.left_over_db:.0f} dBFS", "-150 or less"]
    within = f"within a chunk, which takes {studio.chunk_s:.2f} s"
    yield [f"{worker}: cancelled after", f"{studio.cancelled_after_s:.2f} s", within]
    yield [f"{worker}: ended after its input by", f"{studio.ended_after_s:.2f} s", "about 1 s"]
    yield [f"{worker}: files of both songs left", str(studio.files_left), "0"]
