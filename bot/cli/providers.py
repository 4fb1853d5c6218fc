"""`providers`: which configured provider serves which recipe, and with which model."""

import logging

from rich.console import Console
from rich.table import Table

from bot.cli.roster import build_embedded, build_roster, way_out
from bot.config import Settings
from bot.domain.clock import SystemClock
from bot.domain.stems import Recipe
from bot.providers.downloads import Downloads
from bot.services.plans import Plan, plan


def providers(settings: Settings, console: Console) -> int:
    """Print the table, and why a configured provider is left out of it."""
    # What is left out stands under the table here.
    logging.getLogger("bot.providers").setLevel(logging.ERROR)
    transport = way_out(settings)
    built = build_roster(
        settings,
        embedded=build_embedded(settings),
        transport=transport,
        downloads=Downloads(transport=transport),
        clock=SystemClock(),
    )
    known = [each.capabilities for each in built.providers]
    table = Table(title="Recipes, and the models that serve them", title_justify="left")
    table.add_column("recipe")
    for each in known:
        table.add_column(each.title)
    for recipe in Recipe:
        plans = [plan(recipe, each) for each in known]
        if any(plans):
            table.add_row(recipe.value, *map(_cell, plans))
    console.print(table)
    for name, why in built.left_out.items():
        console.print(f"{name} is left out: {why}", markup=False, highlight=False)
    return 0


def _cell(made: Plan | None) -> str:
    if made is None:
        return "-"
    return f"{made.model.name} (basic)" if made.model.is_basic else made.model.name
