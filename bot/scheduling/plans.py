"""Plans: which model serves a recipe, and how its stems become the recipe's outputs.

Plans are pure functions of the providers' declarations (providers/interface.py) and the recipe
table (domain/recipes.py); nothing is specific to one provider.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.recipes import OUTPUTS, Output, Recipe, Stem
from bot.providers.interface import Capabilities, Model


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of these stems; a single stem is taken as it is."""

    stems: frozenset[Stem]


@dataclass(frozen=True, slots=True)
class Subtract:
    """The song minus this stem, after the stem's delay and gain are fitted to the song."""

    stem: Stem


Derivation = Sum | Subtract


@dataclass(frozen=True, slots=True)
class Plan:
    """A provider's model that serves a recipe, and how each output is derived."""

    capabilities: Capabilities
    model: Model

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.capabilities.name


@dataclass(frozen=True, slots=True)
class Offer:
    """A recipe that at least one configured provider can serve."""

    recipe: Recipe
    providers: tuple[str, ...]
    is_basic: bool
    """Whether only models of basic quality serve it."""


def derive(output: Output, model: Model, stems: frozenset[Stem]) -> Derivation | None:
    """Return how to make `output` from the `stems` of an answer; None if that is impossible.

    `stems` are those that were returned, which may be more than the model declares.
    """
    if not output.without:
        return Sum(frozenset({output.stem})) if output.stem in stems else None
    complete = model.sums_to_song or (bool(model.may_add) and model.may_add <= stems)
    rest = stems - output.without
    if complete and output.without <= stems and rest:
        return Sum(rest)
    if model.sums_to_instrumental and output.without == {Stem.VOCALS}:
        return Sum(stems)
    if model.subtractable and len(output.without) == 1 and output.without <= stems:
        return Subtract(next(iter(output.without)))
    return None


def derivations(
    recipe: Recipe, model: Model, stems: frozenset[Stem]
) -> dict[Stem, Derivation] | None:
    """Return how to make each output of `recipe`, in order; None if one is impossible."""
    made: dict[Stem, Derivation] = {}
    for output in OUTPUTS[recipe]:
        derivation = derive(output, model, stems)
        if derivation is None:
            return None
        made[output.stem] = derivation
    return made


def plan(recipe: Recipe, capabilities: Capabilities) -> Plan | None:
    """Return this provider's plan for `recipe`, by the first declared model that can serve it."""
    for model in capabilities.models:
        if derivations(recipe, model, model.stems) is not None:
            return Plan(capabilities, model)
    return None


def offers(providers: Iterable[Capabilities]) -> tuple[Offer, ...]:
    """Return the recipes that any of these providers can serve, in the order of `OUTPUTS`."""
    known = tuple(providers)
    found: list[Offer] = []
    for recipe in Recipe:
        plans = [made for each in known if (made := plan(recipe, each)) is not None]
        if plans:
            names = tuple(made.provider for made in plans)
            found.append(Offer(recipe, names, all(made.model.is_basic for made in plans)))
    return tuple(found)
