"""Writes the table of the embedded engine's models into docs/models.md.

    python -m bench.model_table

The table stands between two markers; a test compares it with the declarations.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bot.engine.model_catalogue import MODELS
from bot.engine.model_declaration import LocalModel

DOCUMENT = Path(__file__).parents[1] / "docs" / "models.md"
_BEGIN = "<!-- models: written by `python -m bench.model_table` -->\n"
_END = "<!-- end of models -->\n"
_HEADER = (
    "`STEMCORD_LOCAL_MODEL`",
    "stems",
    "median SDR, dB",
    "CPU seconds per second of song",
    "memory",
    "download",
    "licence of the weights",
)
_CORES = 2


def table(models: Iterable[LocalModel]) -> str:
    """Return the table in Markdown, and the models' terms below it."""
    models = tuple(models)
    rows = [_HEADER, ("---",) * len(_HEADER), *map(_row, models)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *_terms(models)]) + "\n"


def with_table(document: str, table: str) -> str:
    """Return the document with this table between its markers."""
    before, _, rest = document.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{table}{_END}{after}"


def _row(model: LocalModel) -> tuple[str, ...]:
    factor = model.cost.duration_factor(threads=_CORES)
    consent = f"; needs `{model.consent_setting}=1`" if model.needs_consent else ""
    return (
        f"`{model.name}` ({model.title})",
        "; ".join(_stems(model)),
        model.quality,
        f"{model.cost.cpu_s_per_s:g}: a song takes {factor:.2g} times its length on {_CORES} cores",
        f"{model.cost.memory_mib:,} MiB",
        f"{model.source.size_mb} MB ({model.source.host})",
        f"{model.licence}{consent}",
    )


def _stems(model: LocalModel) -> Iterator[str]:
    for offer in model.offers:
        basic = " (basic)" if offer.is_basic else ""
        yield f"{', '.join(sorted(offer.stems))}{basic}"


def _terms(models: Iterable[LocalModel]) -> Iterator[str]:
    for notice in dict.fromkeys(model.notice for model in models):
        titles = " and ".join(model.title for model in models if model.notice == notice)
        yield f"- **{titles}**: {' '.join(notice.split())}"


def main() -> None:
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), table(MODELS.values())))


if __name__ == "__main__":
    main()
