"""`studio`: shows the studio's models and their terms; `models` fetches the accepted ones."""

from rich.console import Console
from rich.table import Table

from bot.cli.opening.studio_opening import accepted_catalogue
from bot.config import Settings, SettingsError
from bot.domain.errors import ModelUnavailable
from bot.engine.studio.studio_catalogue import DamagedCatalogue, Network, StudioModel
from bot.engine.studio.studio_install import fetch_network, lacking
from bot.providers.self_hosted.studio import NAME

_MB = 1_000_000
WIDTH = 140
"""Minimum width in columns, so that lines of a table piped into a file do not wrap."""


def studio(settings: Settings, console: Console) -> int:
    """Print the models, the terms of their weights, and how to accept them."""
    try:
        catalogue = accepted_catalogue(settings)
    except DamagedCatalogue as exc:
        raise SettingsError(str(exc)) from exc
    console.width = max(console.width, WIDTH)
    table = Table(title="The studio's models", title_justify="left")
    for column in ("name", "model", "stems", "weights", "MB", "state"):
        table.add_column(column)
    for model in catalogue.models:
        stems, size_mb = ", ".join(sorted(model.stems)), -(-model_bytes(model) // _MB)
        state = _state(model, settings)
        table.add_row(model.name, model.title, stems, model.licence, f"{size_mb:,}", state)
    console.print(table)
    for network in _networks(catalogue.models):
        _say(console, network.notice)
        _say(console, "")
    _say(
        console,
        "To accept these terms for some of the models, set STEMCORD_STUDIO_ACCEPT to their names, "
        "separated by commas; `python -m bot models` then fetches them.",
    )
    return 0


def fetch_accepted(settings: Settings, console: Console) -> None:
    """Fetch the accepted models' files, and report a failure without raising it.

    Raises SettingsError for a name that the catalogue does not have.
    """
    if NAME not in settings.usable_providers or not settings.studio_accept:
        return
    try:
        catalogue = accepted_catalogue(settings)
        for network in _networks(catalogue.accepted(settings.studio_accept)):
            if lacking(network):
                _say(console, network.notice, style="yellow")
                fetch_network(network, catalogue.folder, console)
    except (DamagedCatalogue, ModelUnavailable) as exc:
        _say(console, f"The studio lacks a model: {exc}", style="yellow")


def model_bytes(model: StudioModel) -> int:
    """Return the size of the files that the model needs."""
    return sum(network.size_bytes for network in model.networks)


def _networks(models: tuple[StudioModel, ...]) -> tuple[Network, ...]:
    """Return the models' networks, without duplicates."""
    found = {network.name: network for model in models for network in model.networks}
    return tuple(found.values())


def _state(model: StudioModel, settings: Settings) -> str:
    accepted = "accepted" if model.name in settings.studio_accept else "not accepted"
    is_there = not any(lacking(network) for network in model.networks)
    return f"{accepted}, {'here' if is_there else 'not fetched'}"


def _say(console: Console, text: str, *, style: str = "") -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
