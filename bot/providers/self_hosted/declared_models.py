"""Declarations of models as JSON, in which workers tell bots what they can separate."""

import json
from collections.abc import Iterable
from typing import Any, Final

from bot.domain.recipes import Stem
from bot.providers.interface import Model

_SETS: Final = ("stems", "may_add")
_CLAIMS: Final = ("sums_to_song", "sums_to_instrumental", "subtractable", "is_basic")


def encode_models(models: Iterable[Model]) -> str:
    """Return the declarations as JSON, in order."""
    return json.dumps([_fields(model) for model in models])


def decode_models(text: str) -> tuple[Model, ...]:
    """Return the declared models that this version understands, with all of their stems.

    Fields that it does not know are ignored.
    """
    try:
        declared = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    found = map(_model, declared if isinstance(declared, list) else ())
    return tuple(model for model in found if model is not None)


def _fields(model: Model) -> dict[str, Any]:
    sets = {name: sorted(getattr(model, name)) for name in _SETS}
    claims = {name: True for name in _CLAIMS if getattr(model, name)}
    return {"name": model.name, **sets, **claims}


def _model(fields: Any) -> Model | None:
    if not (isinstance(fields, dict) and isinstance(name := fields.get("name"), str)):
        return None
    try:
        stems, may_add = (frozenset(map(Stem, fields.get(each, ()))) for each in _SETS)
    except (TypeError, ValueError):
        return None  # such as a newer version's stem
    return Model(
        name=name,
        stems=stems,
        may_add=may_add,
        sums_to_song=bool(fields.get("sums_to_song")),
        sums_to_instrumental=bool(fields.get("sums_to_instrumental")),
        subtractable=bool(fields.get("subtractable")),
        is_basic=bool(fields.get("is_basic")),
    )
