"""Declarations of models as JSON, with which workers tell bots what they can separate."""

import json
from collections.abc import Container, Iterable
from typing import Any, Final

from bot.domain.recipes import Stem
from bot.providers.interface import Model

_SETS: Final = ("stems", "may_add")
_WITHDRAWN: Final = "withdrawn"
_CLAIMS: Final = ("sums_to_song", "sums_to_instrumental", "subtractable", "is_basic")


def encode_models(models: Iterable[Model], *, withdrawn: Container[str] = ()) -> str:
    """Return the declarations as JSON, in order.

    `withdrawn` has the names of models that cannot be used at the moment.
    """
    return json.dumps(
        [
            {**_fields(model), **({_WITHDRAWN: True} if model.name in withdrawn else {})}
            for model in models
        ]
    )


def decode_models(text: str) -> tuple[Model, ...]:
    """Return the declared models that this version understands, with all of their stems.

    Fields that it does not know are ignored.
    """
    found = map(_model, _declared(text))
    return tuple(model for model in found if model is not None)


def usable_models(text: str) -> tuple[Model, ...]:
    """Return those of the declared models that can be used."""
    usable = (fields for fields in _declared(text) if not fields.get(_WITHDRAWN))
    return tuple(model for model in map(_model, usable) if model is not None)


def _declared(text: str) -> list[dict[str, Any]]:
    try:
        declared = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found = declared if isinstance(declared, list) else ()
    return [fields for fields in found if isinstance(fields, dict)]


def _fields(model: Model) -> dict[str, Any]:
    sets = {name: sorted(getattr(model, name)) for name in _SETS}
    claims = {name: True for name in _CLAIMS if getattr(model, name)}
    return {"name": model.name, **sets, **claims}


def _model(fields: dict[str, Any]) -> Model | None:
    if not isinstance(name := fields.get("name"), str):
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
