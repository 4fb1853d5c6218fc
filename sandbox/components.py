"""The kinds, numbers and common limits of components in messages and modals."""

from collections.abc import Iterable, Iterator
from enum import IntEnum

from sandbox.errors import FormErrors, Json

MOST_OPTIONS = 25


class Kind(IntEnum):
    """The component types of Discord that the sandbox supports."""

    ROW = 1
    BUTTON = 2
    STRING_SELECT = 3
    TEXT_INPUT = 4
    USER_SELECT = 5
    ROLE_SELECT = 6
    MENTIONABLE_SELECT = 7
    CHANNEL_SELECT = 8
    TEXT_DISPLAY = 10
    LABEL = 18
    FILE_UPLOAD = 19
    RADIO_GROUP = 21
    CHECKBOX_GROUP = 22
    CHECKBOX = 23


SELECTS = (
    Kind.STRING_SELECT,
    Kind.USER_SELECT,
    Kind.ROLE_SELECT,
    Kind.MENTIONABLE_SELECT,
    Kind.CHANNEL_SELECT,
)


def numbered(components: Iterable[Json]) -> tuple[Json, ...]:
    """Give a number to each component without an id, in their order, as Discord does."""
    given = list(components)
    taken = {part["id"] for part in walk(given) if isinstance(part.get("id"), int)}
    free = (number for number in range(1, 1 << 31) if number not in taken)

    def number(component: Json) -> Json:
        given_id = component.get("id")
        result = {**component, "id": given_id or next(free)}
        if isinstance(component.get("components"), list):
            result["components"] = [number(child) for child in component["components"]]
        if isinstance(component.get("component"), dict):
            result["component"] = number(component["component"])
        return result

    return tuple(number(component) for component in given)


def walk(components: Iterable[Json]) -> Iterator[Json]:
    """Yield components and those inside them, outer ones first."""
    for component in components:
        yield component
        listed = component.get("components")
        inner = [*listed] if isinstance(listed, list) else []
        inner += [component.get("component"), component.get("accessory")]
        yield from walk(child for child in inner if isinstance(child, dict))


def find(components: Iterable[Json], custom_id: str) -> Json | None:
    """Return the component with a custom id."""
    return next((part for part in walk(components) if part.get("custom_id") == custom_id), None)


def check_custom_id(errors: FormErrors, path: str, item: Json, seen: set[str]) -> None:
    """Check a custom id's length and that it is not in `seen`, and add it there."""
    at = f"{path}.custom_id"
    custom_id = errors.text(at, item.get("custom_id"), longest=100, shortest=1)
    if custom_id and custom_id in seen:
        message = "Component custom id cannot be duplicated"
        errors.add(at, "COMPONENT_CUSTOM_ID_DUPLICATED", message)
    seen.add(custom_id)


def check_options(
    errors: FormErrors, path: str, value: object, *, least: int = 1, most: int, most_chosen: int
) -> None:
    """Check a list of options: texts, repeated values, and defaults beyond `most_chosen`."""
    options = errors.objects(path, value, least=least, most=most)
    values: set[str] = set()
    for index, option in enumerate(options):
        at = f"{path}.{index}"
        errors.text(f"{at}.label", option.get("label"), longest=100, shortest=1)
        chosen = errors.text(f"{at}.value", option.get("value"), longest=100, shortest=1)
        errors.text(f"{at}.description", option.get("description"), longest=100)
        if chosen and chosen in values:
            message = "The specified option value is already used"
            errors.add(f"{at}.value", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message)
        values.add(chosen)
    if sum(1 for option in options if option.get("default")) > most_chosen:
        message = f"Must have {most_chosen} or fewer default options."
        errors.add(path, "SELECT_COMPONENT_TOO_MANY_DEFAULTS", message)


def check_range(
    errors: FormErrors, path: str, item: Json, *, least: int, most: int, most_by_default: int = 1
) -> int:
    """Check `min_values` and `max_values`, where null means the default; return the latter."""
    lowest = errors.whole(f"{path}.min_values", item.get("min_values"), least=least, most=most)
    highest = errors.whole(f"{path}.max_values", item.get("max_values"), least=1, most=most)
    highest = most_by_default if highest is None else highest
    if lowest is not None and lowest > highest:
        message = f"Value should be less than or equal to {highest}."
        errors.add(f"{path}.min_values", "NUMBER_TYPE_MAX", message)
    return highest
