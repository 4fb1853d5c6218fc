"""Checks modals by Discord's rules: https://docs.discord.com/developers/components/reference."""

from sandbox.components import (
    MOST_OPTIONS,
    SELECTS,
    Kind,
    check_custom_id,
    check_options,
    check_range,
)
from sandbox.errors import FormErrors, Json

LONGEST_TITLE = 45
LONGEST_LABEL = 45
LONGEST_DESCRIPTION = 100
LONGEST_TEXT = 4000
MOST_PARTS = 5
MOST_FILES = 10
MOST_CHOICES = 10
_SHORT, _PARAGRAPH = 1, 2


def check_modal(data: Json) -> None:
    """Raise `50035` with all errors of a modal."""
    errors = FormErrors()
    errors.text("data.custom_id", data.get("custom_id"), longest=100, shortest=1)
    errors.text("data.title", data.get("title"), longest=LONGEST_TITLE, shortest=1)
    seen: set[str] = set()
    parts = errors.objects("data.components", data.get("components"), least=1, most=MOST_PARTS)
    for index, part in enumerate(parts):
        _check_part(errors, f"data.components.{index}", part, seen)
    errors.raise_if_any()


def _check_part(errors: FormErrors, path: str, part: Json, seen: set[str]) -> None:
    match part.get("type"):
        case Kind.LABEL:
            _check_label(errors, path, part, seen)
        case Kind.TEXT_DISPLAY:
            errors.text(f"{path}.content", part.get("content"), longest=LONGEST_TEXT, shortest=1)
        case Kind.ROW:
            _check_row(errors, path, part, seen)
        case _:
            message = 'Value of field "type" must be one of (1, 10, 18).'
            errors.add(f"{path}.type", "UNION_TYPE_CHOICES", message)


def _check_label(errors: FormErrors, path: str, label: Json, seen: set[str]) -> None:
    errors.text(f"{path}.label", label.get("label"), longest=LONGEST_LABEL, shortest=1)
    description = label.get("description")
    errors.text(f"{path}.description", description, longest=LONGEST_DESCRIPTION)
    at, inner = f"{path}.component", label.get("component")
    if not isinstance(inner, dict):
        errors.add(at, "BASE_TYPE_REQUIRED", "This field is required")
        return
    check_custom_id(errors, at, inner, seen)
    match inner.get("type"):
        case Kind.TEXT_INPUT:
            _check_text_input(errors, at, inner)
        case kind if kind in SELECTS:
            _check_select(errors, at, inner)
        case Kind.FILE_UPLOAD:
            check_range(errors, at, inner, least=_least(inner), most=MOST_FILES)
        case Kind.RADIO_GROUP:
            check_options(
                errors,
                f"{at}.options",
                inner.get("options"),
                least=2,
                most=MOST_CHOICES,
                most_chosen=1,
            )
        case Kind.CHECKBOX_GROUP:
            _check_checkbox_group(errors, at, inner)
        case Kind.CHECKBOX:
            errors.truth(f"{at}.default", inner.get("default"))
        case _:
            message = 'Value of field "type" must be one of (3, 4, 5, 6, 7, 8, 19, 21, 22, 23).'
            errors.add(f"{at}.type", "UNION_TYPE_CHOICES", message)
    errors.truth(f"{at}.required", inner.get("required"))


def _check_row(errors: FormErrors, path: str, row: Json, seen: set[str]) -> None:
    """Check an action row, the older form, whose text input has its own label."""
    at = f"{path}.components"
    for index, item in enumerate(errors.objects(at, row.get("components"), least=1, most=1)):
        inner = f"{at}.{index}"
        if item.get("type") != Kind.TEXT_INPUT:
            message = 'Value of field "type" must be one of (4,).'
            errors.add(f"{inner}.type", "UNION_TYPE_CHOICES", message)
            continue
        check_custom_id(errors, inner, item, seen)
        errors.text(f"{inner}.label", item.get("label"), longest=LONGEST_LABEL, shortest=1)
        _check_text_input(errors, inner, item)


def _check_text_input(errors: FormErrors, path: str, item: Json) -> None:
    if item.get("style") not in (_SHORT, _PARAGRAPH):
        errors.add(f"{path}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.")
    errors.text(f"{path}.placeholder", item.get("placeholder"), longest=100)
    shortest = errors.whole(
        f"{path}.min_length", item.get("min_length"), least=0, most=LONGEST_TEXT
    )
    longest = errors.whole(f"{path}.max_length", item.get("max_length"), least=1, most=LONGEST_TEXT)
    longest = LONGEST_TEXT if longest is None else longest
    if shortest is not None and shortest > longest:
        message = f"Value should be less than or equal to {longest}."
        errors.add(f"{path}.min_length", "NUMBER_TYPE_MAX", message)
    errors.text(f"{path}.value", item.get("value"), longest=longest)


def _check_select(errors: FormErrors, path: str, select: Json) -> None:
    errors.text(f"{path}.placeholder", select.get("placeholder"), longest=150)
    if select.get("disabled"):
        message = "Modals can not have disabled components."
        errors.add(f"{path}.disabled", "COMPONENT_DISABLED_IN_MODAL", message)
    most = check_range(errors, path, select, least=_least(select), most=MOST_OPTIONS)
    if select["type"] == Kind.STRING_SELECT:
        at = f"{path}.options"
        options = select.get("options")
        check_options(errors, at, options, least=most, most=MOST_OPTIONS, most_chosen=most)


def _check_checkbox_group(errors: FormErrors, path: str, group: Json) -> None:
    options = group.get("options")
    count = len(options) if isinstance(options, list) else 1
    most = check_range(
        errors,
        path,
        group,
        least=_least(group),
        most=MOST_CHOICES,
        most_by_default=min(max(count, 1), MOST_CHOICES),
    )
    at = f"{path}.options"
    check_options(errors, at, options, least=most, most=MOST_CHOICES, most_chosen=most)


def _least(item: Json) -> int:
    """Return the least allowed `min_values`: 0 if no answer is required."""
    return 0 if item.get("required") is False else 1
