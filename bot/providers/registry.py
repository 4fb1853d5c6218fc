"""Finds and builds the providers that the operator's settings name.

Built-in hosted ones are listed here. Others come from installed packages, through the entry-point
group `stemcord.providers` (see `ProviderContext`).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from bot.providers.audiocleaner import AudioCleaner
from bot.providers.finevoice import FineVoice
from bot.providers.hosted import Hosted
from bot.providers.interface import Factory, Provider, ProviderContext
from bot.providers.soundverse import Soundverse

log = logging.getLogger(__name__)

GROUP: Final = "stemcord.providers"

BUILT_IN: Final[Mapping[str, type[Hosted]]] = {
    adapter.declared.name: adapter for adapter in (AudioCleaner, FineVoice, Soundverse)
}
"""The built-in hosted providers by name."""


class UnknownProvider(ValueError):
    """No provider has this name; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class ProviderSet:
    """The providers that could be built, and those that could not."""

    providers: tuple[Provider, ...]
    """The usable providers, in order of preference."""
    left_out: Mapping[str, str]
    """The reasons by provider's name, each a phrase for the operator."""


def build(
    order: Sequence[str],
    context: ProviderContext,
    *,
    ready: Mapping[str, Provider],
    installed: Iterable[EntryPoint] | None = None,
) -> ProviderSet:
    """Build the named providers; those that the caller has already built are passed as `ready`.

    A provider that cannot be built is left out and logged. Raises UnknownProvider.
    """
    points = _by_name(entry_points(group=GROUP) if installed is None else installed, ready)
    _check_names(order, {*BUILT_IN, *ready, *points})
    built: list[Provider] = []
    left_out: dict[str, str] = {}
    for name in order:
        made = ready[name] if name in ready else _make(name, context, points)
        if isinstance(made, str):
            left_out[name] = made
            log.warning("%s is left out: %s", name, made)
        else:
            built.append(made)
    return ProviderSet(tuple(built), left_out)


def _by_name(
    installed: Iterable[EntryPoint], ready: Mapping[str, Provider]
) -> dict[str, tuple[EntryPoint, ...]]:
    points: dict[str, tuple[EntryPoint, ...]] = {}
    for point in installed:
        if point.name in BUILT_IN or point.name in ready:
            log.error("%s is refused: Stemcord has a provider %s", point.value, point.name)
        else:
            points[point.name] = (*points.get(point.name, ()), point)
    return points


def _check_names(order: Sequence[str], known: set[str]) -> None:
    unknown = [name for name in order if name not in known]
    if unknown:
        raise UnknownProvider(
            f"no provider is called {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        )


def _make(
    name: str, context: ProviderContext, points: Mapping[str, tuple[EntryPoint, ...]]
) -> Provider | str:
    """Return the provider, or the reason why it cannot be built."""
    if name in BUILT_IN:
        adapter = BUILT_IN[name]
        return adapter.create(context) or f"{adapter.declared.key_setting} is not set"
    if len(points[name]) > 1:
        return "several installed packages offer it"
    return _from_package(points[name][0], context)


def _from_package(point: EntryPoint, context: ProviderContext) -> Provider | str:
    try:
        factory: Factory = point.load()
        provider = factory(context)
        declared = None if provider is None else provider.capabilities.name
    except Exception:
        # A third-party package may raise anything, and that must not keep the bot from starting.
        log.exception("the package behind %s (%s) is broken", point.name, point.value)
        return "its package is broken"
    if provider is None:
        return "its settings are missing"
    if declared != point.name:
        return f"it calls itself {declared}"
    return provider
