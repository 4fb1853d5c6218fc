"""Validates commands by Discord's rules for application commands."""

import re
from collections import Counter

from sandbox.errors import DiscordError, FormErrors, Json
from sandbox.locales import LOCALES, longest

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
MOST = {CHAT_INPUT: 100, USER_MENU: 15, MESSAGE_MENU: 15}
LARGEST_COMMAND = 8000
SUBCOMMAND, SUBCOMMAND_GROUP, STRING, INTEGER, NUMBER = 1, 2, 3, 4, 10
LARGEST_NUMBER = 2**53
LONGEST_VALUE = 6000
_NAME = re.compile(r"[-_'\w]{1,32}")
_WITH_CHOICES = (STRING, INTEGER, NUMBER)


def check_commands(commands: list[Json]) -> None:
    """Raise error `50035` or `30032` for a list of commands that Discord would refuse."""
    errors = FormErrors()
    counts: Counter[tuple[object, object]] = Counter()
    for index, command in enumerate(commands):
        kind = command.get("type", CHAT_INPUT)
        counts[kind, command.get("name")] += 1
        if counts[kind, command.get("name")] > 1:
            message = "Application command names must be unique"
            errors.add(str(index), "APPLICATION_COMMANDS_DUPLICATE_NAME", message)
        _check_command(errors, str(index), command, kind)
    errors.raise_if_any()
    for kind, most in MOST.items():
        if sum(1 for command in commands if command.get("type", CHAT_INPUT) == kind) > most:
            raise DiscordError(30032)


def _check_command(errors: FormErrors, path: str, command: Json, kind: object) -> None:
    if kind not in MOST:
        errors.add(f"{path}.type", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3}.")
    _check_members(errors, f"{path}.contexts", command.get("contexts"), {0, 1, 2})
    _check_members(errors, f"{path}.integration_types", command.get("integration_types"), {0, 1})
    if kind != CHAT_INPUT:
        errors.text(f"{path}.name", command.get("name"), longest=32, shortest=1)
        _check_localizations(errors, path, command, "name", longest=32)
        if command.get("description"):
            message = "Context menu commands cannot have description"
            errors.add(
                f"{path}.description", "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION", message
            )
        return
    _check_names(errors, path, command)
    _check_options(errors, f"{path}.options", command.get("options"), depth=0)
    if _letters(command) > LARGEST_COMMAND:
        message = f"Command exceeds maximum size ({LARGEST_COMMAND})"
        errors.add(path, "APPLICATION_COMMAND_TOO_LARGE", message)


def _check_names(errors: FormErrors, path: str, item: Json) -> None:
    name = errors.text(f"{path}.name", item.get("name"), longest=32, shortest=1)
    _check_name(errors, f"{path}.name", name)
    for locale, localized in _check_localizations(errors, path, item, "name", longest=32).items():
        _check_name(errors, f"{path}.name_localizations.{locale}", localized)
    errors.text(f"{path}.description", item.get("description"), longest=100, shortest=1)
    _check_localizations(errors, path, item, "description", longest=100)


def _check_name(errors: FormErrors, path: str, name: str) -> None:
    if name and (not _NAME.fullmatch(name) or name != name.lower()):
        message = "Command name is invalid: lower-case letters, digits, - and _ only."
        errors.add(path, "APPLICATION_COMMAND_INVALID_NAME", message)


def _check_localizations(
    errors: FormErrors, path: str, item: Json, name: str, *, longest: int
) -> dict[str, str]:
    path = f"{path}.{name}_localizations"
    given = item.get(f"{name}_localizations")
    if given is not None and not isinstance(given, dict):
        errors.add(path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
        return {}
    if unknown := set(given or ()) - set(LOCALES):
        errors.add(path, "ENUM_TYPE_COERCE", f"{min(unknown)} is not a locale of Discord.")
    return {
        locale: errors.text(f"{path}.{locale}", text, longest=longest, shortest=1)
        for locale, text in (given or {}).items()
    }


def _check_members(errors: FormErrors, path: str, value: object, allowed: set[int]) -> None:
    if value is not None and not (isinstance(value, list) and set(value) <= allowed):
        errors.add(path, "BASE_TYPE_CHOICES", f"Value must be one of {allowed}.")


def _check_options(errors: FormErrors, path: str, value: object, *, depth: int) -> None:
    options = errors.objects(path, value, most=25)
    names = [option.get("name") for option in options]
    if len(set(names)) < len(names):
        message = "Option names must be unique"
        errors.add(path, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", message)
    were_optional = False
    for index, option in enumerate(options):
        at = f"{path}.{index}"
        _check_names(errors, at, option)
        if option.get("type") in (SUBCOMMAND, SUBCOMMAND_GROUP):
            if depth + (option["type"] == SUBCOMMAND_GROUP) > 1:
                message = "Subcommands nest one group deep."
                errors.add(at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
            _check_options(errors, f"{at}.options", option.get("options"), depth=depth + 1)
            continue
        _check_value_option(errors, at, option)
        if option.get("required") and were_optional:
            message = "Required options must be placed before non-required options"
            errors.add(at, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        were_optional |= not option.get("required")


def _check_value_option(errors: FormErrors, path: str, option: Json) -> None:
    if option.get("type") not in range(STRING, 12):
        errors.add(f"{path}.type", "BASE_TYPE_CHOICES", "Value must be one of 1 to 11.")
    choices = errors.objects(f"{path}.choices", option.get("choices"), most=25)
    if choices and option.get("autocomplete"):
        message = "Options with autocomplete cannot have choices"
        errors.add(path, "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_AND_CHOICES", message)
    if (choices or option.get("autocomplete")) and option.get("type") not in _WITH_CHOICES:
        message = "Only texts and numbers have choices or autocomplete"
        errors.add(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
    check_choices(errors, f"{path}.choices", choices)
    _check_choice_types(errors, f"{path}.choices", choices, option.get("type"))
    _check_bounds(errors, path, option)


def _check_choice_types(errors: FormErrors, path: str, choices: list[Json], kind: object) -> None:
    for index, choice in enumerate(choices):
        value = choice.get("value")
        if kind == STRING and not isinstance(value, str):
            errors.add(f"{path}.{index}.value", "BASE_TYPE_STRING", "Must be a string.")
        elif kind == INTEGER and not _is_whole(value):
            errors.add(f"{path}.{index}.value", "NUMBER_TYPE_COERCE", "Value is not an int.")


def _check_bounds(errors: FormErrors, path: str, option: Json) -> None:
    """Check `min_value` and `max_value` of a number, or the lengths of a text."""
    is_text = option.get("type") == STRING
    names = ("min_length", "max_length") if is_text else ("min_value", "max_value")
    for name in ("min_length", "max_length", "min_value", "max_value"):
        value = option.get(name)
        if value is None:
            continue
        if name not in names or option.get("type") not in _WITH_CHOICES:
            message = f"{name} does not belong to an option of this type"
            errors.add(f"{path}.{name}", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
        elif is_text:
            least = 1 if name == "max_length" else 0
            errors.whole(f"{path}.{name}", value, least=least, most=LONGEST_VALUE)
        elif option["type"] == INTEGER and not _is_whole(value):
            errors.add(f"{path}.{name}", "NUMBER_TYPE_COERCE", "Value is not an int.")
    lowest, highest = (option.get(name) for name in names)
    if isinstance(lowest, int | float) and isinstance(highest, int | float) and lowest > highest:
        message = f"Value should be less than or equal to {highest}."
        errors.add(f"{path}.{names[0]}", "NUMBER_TYPE_MAX", message)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER


def check_choices(errors: FormErrors, path: str, choices: list[Json]) -> None:
    """Check the choices of an option or of an autocomplete response."""
    for index, choice in enumerate(choices):
        at = f"{path}.{index}"
        errors.text(f"{at}.name", choice.get("name"), longest=100, shortest=1)
        _check_localizations(errors, at, choice, "name", longest=100)
        if "value" not in choice:
            errors.add(f"{at}.value", "BASE_TYPE_REQUIRED", "This field is required")
        elif isinstance(choice["value"], str):
            errors.text(f"{at}.value", choice["value"], longest=100, shortest=1)


def _letters(item: Json) -> int:
    """Return a command's size as Discord counts it, with each text in its longest language."""
    own = longest(item, "name") + longest(item, "description")
    choices = sum(
        longest(choice, "name") + len(str(choice.get("value", "")))
        for choice in item.get("choices") or ()
    )
    return own + choices + sum(_letters(option) for option in item.get("options") or ())
