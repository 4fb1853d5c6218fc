"""Writes the table of all models, the engine's and the studio's, into docs/models.md.

    python -m bench.model_table

The table stands between two markers; a test compares it with the declarations and the bundled
catalogue.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bot.engine.model_catalogue import MODELS
from bot.engine.model_declaration import LocalModel
from bot.engine.studio.studio_catalogue import StudioModel, read_catalogue

DOCUMENT = Path(__file__).parents[1] / "docs" / "models.md"
_BEGIN = "<!-- models: written by `python -m bench.model_table` -->\n"
_END = "<!-- end of models -->\n"
_HEADER = (
    "setting",
    "model",
    "stems",
    "median SDR, dB",
    "CPU seconds per second of song",
    "memory",
    "download",
    "licence of the weights",
)
_CORES = 2
_MB = 1_000_000


def table(models: Iterable[LocalModel], studio: Iterable[StudioModel]) -> str:
    """Return the table in Markdown, and the models' terms below it."""
    models, studio = tuple(models), tuple(studio)
    rows = [_HEADER, ("---",) * len(_HEADER), *map(_row, models), *map(_studio_row, studio)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *_terms(models), *_studio_terms(studio)]) + "\n"


def declared_table() -> str:
    """Return the table of the models in the engine's declarations and in the bundled catalogue."""
    shipped = read_catalogue(Path(os.devnull))
    return table(MODELS.values(), shipped.models)


def with_table(document: str, table: str) -> str:
    """Return the document with this table between its markers."""
    before, _, rest = document.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{table}{_END}{after}"


def _row(model: LocalModel) -> tuple[str, ...]:
    factor = model.cost.duration_factor(threads=_CORES)
    consent = f"; needs `{model.consent_setting}=1`" if model.needs_consent else ""
    return (
        f"`STEMCORD_LOCAL_MODEL={model.name}`",
        model.title,
        "; ".join(_stems(model)),
        model.quality,
        f"{model.cost.cpu_s_per_s:g}: a song takes {factor:.2g} times its length on {_CORES} cores",
        f"{model.cost.memory_mib:,} MiB",
        f"{model.source.size_mb} MB ({model.source.host})",
        f"{model.licence}{consent}",
    )


def _studio_row(model: StudioModel) -> tuple[str, ...]:
    files = [file for network in model.networks for file in network.files]
    hosts = dict.fromkeys(urlsplit(file.address).hostname or "" for file in files)
    size_mb = -(-sum(file.size_bytes for file in files) // _MB)
    sum_note = "" if model.sums else " (does not add up to the song)"
    return (
        f"`STEMCORD_STUDIO_ACCEPT={model.name}`",
        model.title,
        f"{', '.join(sorted(model.stems))}{sum_note}",
        "not measured",
        "a graphics card's",
        f"{model.memory_mib:,} MiB of the card (estimate)",
        f"{size_mb:,} MB ({', '.join(hosts)})",
        f"{model.licence}; needs this setting",
    )


def _studio_terms(models: Iterable[StudioModel]) -> Iterator[str]:
    networks = [network for model in models for network in model.networks]
    for title, notice in dict.fromkeys((each.title, each.notice) for each in networks):
        yield f"- **{title}**: {' '.join(notice.split())}"


def _stems(model: LocalModel) -> Iterator[str]:
    for offer in model.offers:
        basic = " (basic)" if offer.is_basic else ""
        yield f"{', '.join(sorted(offer.stems))}{basic}"


def _terms(models: Iterable[LocalModel]) -> Iterator[str]:
    for notice in dict.fromkeys(model.notice for model in models):
        titles = " and ".join(model.title for model in models if model.notice == notice)
        yield f"- **{titles}**: {' '.join(notice.split())}"


def main() -> None:
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), declared_table()))


if __name__ == "__main__":
    main()
