"""`providers`: shows what each provider serves, its state, and what it may bill for today."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.cli.opening.outbound import build_transport
from bot.cli.opening.provider_set import build_embedded, build_provider_set, quietly
from bot.cli.opening.stores import database_address
from bot.cli.opening.studio_opening import open_studio
from bot.cli.version import our_version
from bot.config import Settings
from bot.domain.attempt import AttemptError, AttemptState
from bot.domain.clock import SystemClock
from bot.domain.errors import ModelUnavailable
from bot.domain.periods import PeriodKind, period_at
from bot.domain.recipes import Recipe
from bot.engine.model_catalogue import MODELS
from bot.engine.weights import Weights
from bot.net.downloads import Downloads
from bot.providers.interface import Capabilities
from bot.providers.registry import ProviderSet
from bot.providers.self_hosted import local, studio, workers
from bot.providers.self_hosted.workers import usable_by
from bot.scheduling.plans import Plan, plan
from storage.database.opening import Address, PostgresUrl, open_reader
from storage.stores import vendor_spending
from storage.stores.vendor_spending import LatestAttempt, ProviderUsage
from storage.work_queue.living_workers import WorkerRow, known_workers

WIDTH = 140
"""Minimum width in columns, so that lines of a table piped into a file do not wrap."""
OPEN_ENDS = (AttemptState.UNCERTAIN, AttemptState.ABANDONED)
"""States of attempts that may be billed although they gave no result."""
NEEDS_OPERATOR = {
    AttemptError.AUTH: "it refuses the key",
    AttemptError.QUOTA_SPENT: "its credit is used up",
}


@dataclass(frozen=True, slots=True)
class History:
    """The database's figures about providers; empty without a database."""

    usage: Mapping[str, ProviderUsage] = field(default_factory=dict)
    latest: Mapping[str, LatestAttempt] = field(default_factory=dict)
    workers: Sequence[WorkerRow] = ()


def providers(settings: Settings, console: Console) -> int:
    """Print the table of recipes, and the state and spend of every configured provider."""
    with quietly("bot"):
        built = asyncio.run(_build(settings))
    now = SystemClock().now()
    history = _history(database_address(settings), now)
    console.width = max(console.width, WIDTH)
    console.print(_recipes([each.capabilities for each in built.providers]))
    console.print(_states(settings, built, history))
    if workers.NAME in settings.usable_providers:
        console.print(_workers(history.workers), highlight=False)
    for line in _audio_lines(history.workers):
        console.print(line, highlight=False)
    console.print(_total(history.usage, settings.daily_spend_minutes), highlight=False)
    return 0


async def _build(settings: Settings) -> ProviderSet:
    """Build the providers; the studio's worker is started to ask what it can do."""
    transport = build_transport(settings)
    opened = await open_studio(settings)
    built = build_provider_set(
        settings,
        embedded=build_embedded(settings),
        studio=opened.provider,
        transport=transport,
        downloads=Downloads(transport=transport),
        clock=SystemClock(),
    )
    if opened.provider is not None:
        await opened.provider.aclose()
    if opened.why_not is None:
        return built
    return replace(built, left_out={**built.left_out, studio.NAME: opened.why_not})


def _history(address: Address, now: datetime) -> History:
    if isinstance(address, Path) and not address.exists():
        return History()
    midnight = period_at(now, PeriodKind.DAY).starts_at
    with open_reader(address) as reader:
        return History(
            usage=vendor_spending.provider_usage(reader, midnight),
            latest=vendor_spending.latest_attempts(reader, midnight),
            workers=known_workers(reader) if isinstance(address, PostgresUrl) else (),
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


def _states(settings: Settings, built: ProviderSet, history: History) -> Table:
    table = _table("Today, in UTC", "provider", "state", "attempts", "submitted", "possible cost")
    for each in built.providers:
        name = each.capabilities.name
        state = _state(settings, name, history.latest.get(name))
        table.add_row(
            name, state, *_figures(each.capabilities, history.usage.get(name, ProviderUsage()))
        )
    for name, why in built.left_out.items():
        usage = history.usage.get(name)
        table.add_row(name, f"left out: {why}", *(_money(usage) if usage else ("-", "-", "-")))
    return table


def _state(settings: Settings, name: str, last: LatestAttempt | None) -> str:
    """Describe a provider's state from the database; only the running bot knows of cooldowns."""
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


def _figures(capabilities: Capabilities, usage: ProviderUsage) -> tuple[str, str, str]:
    attempts, submitted, possible = _money(usage)
    return (attempts, submitted, possible) if capabilities.is_hosted else (attempts, "-", "-")


def _money(usage: ProviderUsage) -> tuple[str, str, str]:
    """Return attempts by state, minutes submitted, and minutes that may be billed without a
    result.
    """
    attempts = ", ".join(
        f"{state.value} {count}" for state, count in sorted(usage.attempts.items())
    )
    possible = [
        f"{state} {usage.minutes[state]} min" for state in OPEN_ENDS if state in usage.minutes
    ]
    return attempts or "none", f"{usage.submitted} min", ", ".join(possible) or "none"


def _workers(known: Sequence[WorkerRow]) -> str:
    serving = [worker for worker in known if worker.is_living and worker.slots]
    names = ", ".join(model.name for model in usable_by(serving)) or "no model"
    slots = sum(worker.slots for worker in serving)
    lines = [f"Workers: {len(serving)} running, for {slots} songs at once, with {names}"]
    lines += [f"{each.name}: {each.trouble}" for each in known if each.is_living and each.trouble]
    return "\n".join(lines)


def _audio_lines(known: Sequence[WorkerRow]) -> Iterator[str]:
    """Yield a line for each running worker that takes audio tasks."""
    ours = our_version()
    for worker in known:
        if worker.is_living and worker.audio_slots:
            line = f"{worker.name}: {worker.audio_slots} audio tasks at once"
            is_ours = worker.version == ours
            yield line if is_ours else f"{line}, for bots of version {worker.version} only"


def _total(usage: Mapping[str, ProviderUsage], cap: int | None) -> str:
    total = sum(usage.submitted for usage in usage.values())
    return f"Submitted today: {total} min" + (
        f" of {cap}" if cap is not None else ", without a cap"
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table
