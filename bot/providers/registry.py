"""Which providers there are, and building those that the owner's settings name.

Built-in ones are listed here; others come from installed packages, through the entry-point group
`stemcord.providers` (what they are called with is described at base.ProviderContext).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from bot.providers.audiocleaner import AudioCleaner
from bot.providers.finevoice import FineVoice
from bot.providers.interface import Factory, Provider, ProviderContext
from bot.providers.soundverse import Soundverse

log = logging.getLogger(__name__)

GROUP: Final = "stemcord.providers"


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A hosted provider that comes with Stemcord."""

    factory: Factory
    key_setting: str


BUILT_IN: Final[Mapping[str, BuiltIn]] = {
    "audiocleaner": BuiltIn(AudioCleaner.create, "AUDIOCLEANER_API_KEY"),
    "finevoice": BuiltIn(FineVoice.create, "FINEVOICE_API_KEY"),
    "soundverse": BuiltIn(Soundverse.create, "SOUNDVERSE_API_KEY"),
}


class UnknownProvider(ValueError):
    """A name that nothing installed answers to; its text is a sentence for the owner."""


@dataclass(frozen=True, slots=True)
class Built:
    """What came of the owner's list."""

    providers: tuple[Provider, ...]
    """In order of preference."""
    left_out: Mapping[str, str]
    """By name, why; half a sentence for the owner."""


def build(
    order: Sequence[str],
    context: ProviderContext,
    *,
    ready: Mapping[str, Provider],
    installed: Iterable[EntryPoint] | None = None,
) -> Built:
    """Build the named providers; `ready` holds those that the caller has made, like `local`.

    One that cannot be built is left out and logged. Raises UnknownProvider.
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
    return Built(tuple(built), left_out)


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
    """Return the provider, or why there is none."""
    if name in BUILT_IN:
        built_in = BUILT_IN[name]
        return built_in.factory(context) or f"{built_in.key_setting} is not set"
    if len(points[name]) > 1:
        return "several installed packages offer it"
    return _from_package(points[name][0], context)


def _from_package(point: EntryPoint, context: ProviderContext) -> Provider | str:
    try:
        factory: Factory = point.load()
        provider = factory(context)
        declared = None if provider is None else provider.capabilities.name
    except Exception:
        # A stranger's package may raise anything, and must not keep the bot from starting.
        log.exception("the package behind %s (%s) is broken", point.name, point.value)
        return "its package is broken"
    if provider is None:
        return "its settings are missing"
    if declared != point.name:
        return f"it calls itself {declared}"
    return provider
