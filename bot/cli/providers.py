"""`providers`: what each provider does, how it is doing, and what it may bill for today."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console
from rich.table import Table

from bot.cli.provider_set import build_embedded, build_provider_set, build_transport
from bot.config import Settings
from bot.domain.attempt import AttemptError, AttemptState
from bot.domain.clock import SystemClock
from bot.domain.errors import ModelUnavailable
from bot.domain.minutes import PeriodKind, period_at
from bot.domain.recipes import Recipe
from bot.engine.catalogue import MODELS
from bot.engine.weights import Weights
from bot.net.downloads import Downloads
from bot.providers import local
from bot.providers.interface import Capabilities
from bot.providers.registry import ProviderSet
from bot.scheduling.plans import Plan, plan
from storage.database.read_only import read_only
from storage.files.data_dir import DataDir
from storage.stores import spending
from storage.stores.spending import LatestAttempt, ProviderUsage

WIDTH = 140
"""At least: a table that is piped into a file shall not be folded."""
OPEN_ENDS = (AttemptState.UNCERTAIN, AttemptState.ABANDONED)
"""What may cost although nothing came of it."""
NEEDS_OPERATOR = {
    AttemptError.AUTH: "it refuses the key",
    AttemptError.QUOTA_SPENT: "its credit is used up",
}


@dataclass(frozen=True, slots=True)
class Past:
    """What the database tells of the providers; nothing where there is none yet."""

    books: Mapping[str, ProviderUsage] = field(default_factory=dict)
    latest: Mapping[str, LatestAttempt] = field(default_factory=dict)


def providers(settings: Settings, console: Console) -> int:
    """Print the table of recipes, and the state and spend of every configured provider."""
    with _unsaid():
        built = _build(settings)
    now = SystemClock().now()
    past = _past(DataDir(settings.data_dir), now)
    console.width = max(console.width, WIDTH)
    console.print(_recipes([each.capabilities for each in built.providers]))
    console.print(_states(settings, built, past))
    console.print(_sum(past.books, settings.daily_spend_minutes), highlight=False)
    return 0


@contextmanager
def _unsaid() -> Iterator[None]:
    """Keep what is left out from the log: it stands in a table here."""
    said = logging.getLogger("bot.providers")
    level = said.level
    said.setLevel(logging.ERROR)
    try:
        yield
    finally:
        said.setLevel(level)


def _build(settings: Settings) -> ProviderSet:
    transport = build_transport(settings)
    return build_provider_set(
        settings,
        embedded=build_embedded(settings),
        transport=transport,
        downloads=Downloads(transport=transport),
        clock=SystemClock(),
    )


def _past(data: DataDir, now: datetime) -> Past:
    if not data.database.exists():
        return Past()
    midnight = period_at(now, PeriodKind.DAY).starts_at
    with read_only(data.database) as conn:
        return Past(
            books=spending.provider_usage(conn, midnight),
            latest=spending.latest_attempts(conn, midnight),
        )


def _recipes(known: Sequence[Capabilities]) -> Table:
    table = _table("Recipes, and the models that serve them", "recipe")
    for each in known:
        table.add_column(each.title)
    for recipe in Recipe:
        plans = [plan(recipe, each) for each in known]
        if any(plans):
            table.add_row(recipe.value, *map(_cell, plans))
    return table


def _cell(made: Plan | None) -> str:
    if made is None:
        return "-"
    return f"{made.model.name} (basic)" if made.model.is_basic else made.model.name


def _states(settings: Settings, built: ProviderSet, past: Past) -> Table:
    table = _table("Today, in UTC", "provider", "state", "attempts", "submitted", "possible cost")
    for each in built.providers:
        name = each.capabilities.name
        state = _state(settings, name, past.latest.get(name))
        table.add_row(
            name, state, *_figures(each.capabilities, past.books.get(name, ProviderUsage()))
        )
    for name, why in built.left_out.items():
        book = past.books.get(name)
        table.add_row(name, f"left out: {why}", *(_money(book) if book else ("-", "-", "-")))
    return table


def _state(settings: Settings, name: str, last: LatestAttempt | None) -> str:
    """Say what is on record; whether a running bot rests it, and until when, is in its memory."""
    if name == local.NAME:
        return _state_of_model(settings)
    if last is not None and last.error in NEEDS_OPERATOR:
        return f"{NEEDS_OPERATOR[last.error]}, as of {last.at:%H:%M}"
    return "ready"


def _state_of_model(settings: Settings) -> str:
    try:
        Weights(MODELS[settings.local_model], settings.models_dir).verify()
    except ModelUnavailable:
        return "no model: python -m bot models"
    return "ready"


def _figures(capabilities: Capabilities, book: ProviderUsage) -> tuple[str, str, str]:
    attempts, submitted, possible = _money(book)
    return (attempts, submitted, possible) if capabilities.is_hosted else (attempts, "-", "-")


def _money(book: ProviderUsage) -> tuple[str, str, str]:
    """Say what was tried, what may be billed, and how much of it brought no result."""
    attempts = ", ".join(f"{state.value} {count}" for state, count in sorted(book.attempts.items()))
    possible = [
        f"{state} {book.minutes[state]} min" for state in OPEN_ENDS if state in book.minutes
    ]
    return attempts or "none", f"{book.submitted} min", ", ".join(possible) or "none"


def _sum(books: Mapping[str, ProviderUsage], cap: int | None) -> str:
    total = sum(book.submitted for book in books.values())
    return f"Submitted today: {total} min" + (
        f" of {cap}" if cap is not None else ", without a cap"
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table
