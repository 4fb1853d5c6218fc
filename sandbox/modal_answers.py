"""Checks a user's answers to a modal as Discord's apps do, and builds the interaction's data."""

from collections.abc import Mapping
from typing import Any

from sandbox.components import SELECTS, Kind, walk
from sandbox.entities import Attachment
from sandbox.errors import Json
from sandbox.invocations import NotAllowed
from sandbox.modal_rules import LONGEST_TEXT

_WITH_VALUES = (*SELECTS, Kind.FILE_UPLOAD, Kind.CHECKBOX_GROUP)
_WITH_OPTIONS = (Kind.STRING_SELECT, Kind.RADIO_GROUP, Kind.CHECKBOX_GROUP)


def filled(
    components: tuple[Json, ...], fields: Json, uploads: Mapping[str, list[Attachment]]
) -> list[Json]:
    """Return the components of a submission; raise `NotAllowed` for an impossible answer.

    `fields` has values by custom id, and `uploads` has files by custom id. A component in neither
    is submitted with its defaults.
    """
    known = {part["custom_id"] for part in walk(components) if "custom_id" in part}
    if unknown := (fields.keys() | uploads.keys()) - known:
        raise NotAllowed(f"There is no field {min(unknown)}.")
    return [_filled(component, fields, uploads) for component in components]


def _filled(component: Json, fields: Json, uploads: Mapping[str, list[Attachment]]) -> Json:
    kind = component["type"]
    answer: Json = {"type": kind, "id": component["id"]}
    if kind == Kind.ROW:
        inner = component["components"]
        return answer | {"components": [_filled(child, fields, uploads) for child in inner]}
    if kind == Kind.LABEL:
        return answer | {"component": _filled(component["component"], fields, uploads)}
    if kind == Kind.TEXT_DISPLAY:
        return answer
    custom_id = component["custom_id"]
    answer["custom_id"] = custom_id
    if kind == Kind.FILE_UPLOAD:
        if fields.get(custom_id):
            raise NotAllowed(f"{custom_id} takes files.")
        value: Any = [str(file.id) for file in uploads.get(custom_id, ())]
    else:
        if custom_id in uploads:
            raise NotAllowed(f"{custom_id} takes no file.")
        value = fields[custom_id] if custom_id in fields else _as_shown(component)
    if kind in _WITH_VALUES:
        return answer | {"values": _checked_values(component, value)}
    return answer | {"value": _checked_value(component, value)}


def _as_shown(component: Json) -> Any:
    """Return the value of a component that the user does not change."""
    chosen = [o["value"] for o in component.get("options") or () if o.get("default")]
    match component["type"]:
        case Kind.TEXT_INPUT:
            return component.get("value") or ""
        case Kind.CHECKBOX:
            return bool(component.get("default"))
        case Kind.RADIO_GROUP:
            return chosen[0] if chosen else None
        case _:
            return chosen


def _checked_values(component: Json, value: object) -> list[str]:
    custom_id, kind = component["custom_id"], component["type"]
    given = value if isinstance(value, list) else [value]
    values = [str(each) for each in given if each is not None]
    _check_offered(component, values)
    if len(set(values)) < len(values):
        raise NotAllowed(f"{custom_id} takes each value once.")
    most = component.get("max_values")
    if most is None:
        most = len(component["options"]) if kind == Kind.CHECKBOX_GROUP else 1
    least = component.get("min_values")
    least = 1 if least is None else least
    if not values and not is_required(component):
        return values
    if not max(least, 1) <= len(values) <= most:
        what = "file" if kind == Kind.FILE_UPLOAD else "value"
        raise NotAllowed(f"{custom_id} takes {_amount(max(least, 1), most)} {what}(s).")
    return values


def _checked_value(component: Json, value: object) -> object:
    custom_id = component["custom_id"]
    if component["type"] == Kind.CHECKBOX:
        if not isinstance(value, bool):
            raise NotAllowed(f"{custom_id} is either true or false.")
        return value
    if component["type"] == Kind.RADIO_GROUP:
        if value is None and is_required(component):
            raise NotAllowed(f"{custom_id} is needed.")
        _check_offered(component, [] if value is None else [str(value)])
        return value
    text = "" if value is None else str(value)
    if not text and is_required(component):
        raise NotAllowed(f"{custom_id} is needed.")
    least = component.get("min_length") or 0
    most = component.get("max_length") or LONGEST_TEXT
    if text and not least <= len(text) <= most:
        raise NotAllowed(f"{custom_id} takes {_amount(least, most)} characters.")
    return text


def is_required(component: Json) -> bool:
    """Return whether this component needs an answer."""
    return component.get("required") is not False


def _check_offered(component: Json, values: list[str]) -> None:
    if component["type"] not in _WITH_OPTIONS:
        return
    offered = {option["value"] for option in component["options"]}
    if not set(values) <= offered:
        raise NotAllowed(f"{component['custom_id']} takes one of its options only.")


def _amount(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"
