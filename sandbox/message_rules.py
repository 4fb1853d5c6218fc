"""Validates messages by Discord's rules for texts, embeds and components."""

from urllib.parse import urlsplit

from sandbox.components import (
    MOST_OPTIONS,
    SELECTS,
    Kind,
    check_custom_id,
    check_options,
    check_range,
)
from sandbox.entities import MessageFlag
from sandbox.errors import FormErrors, Json

LONGEST_CONTENT = 2000
MOST_EMBEDS = 10
LARGEST_EMBEDS = 6000
MOST_ROWS = 5
MOST_COMPONENTS_V2 = 40
LONGEST_FILE_DESCRIPTION = 1024
_LINK, _PREMIUM = 5, 6
_LINK_SCHEMES = ("http", "https", "discord")


def check_message(payload: Json) -> None:
    """Raise error `50035` with all errors of a message or an edit, if there are any."""
    errors = FormErrors()
    errors.text("content", payload.get("content"), longest=LONGEST_CONTENT)
    _check_embeds(errors, payload.get("embeds"))
    flags = payload.get("flags") or 0
    if not isinstance(flags, int):
        errors.add("flags", "NUMBER_TYPE_COERCE", "Value is not an int.")
        flags = 0
    _check_components(errors, payload, is_v2=bool(flags & MessageFlag.COMPONENTS_V2))
    for index, item in enumerate(
        errors.objects("attachments", payload.get("attachments"), most=20)
    ):
        at = f"attachments.{index}.description"
        errors.text(at, item.get("description"), longest=LONGEST_FILE_DESCRIPTION)
    errors.raise_if_any()


def _check_embeds(errors: FormErrors, value: object) -> None:
    total = 0
    for index, embed in enumerate(errors.objects("embeds", value, most=MOST_EMBEDS)):
        total += _check_embed(errors, f"embeds.{index}", embed)
    if total > LARGEST_EMBEDS:
        message = f"Embed size exceeds maximum size of {LARGEST_EMBEDS}"
        errors.add("embeds", "MAX_EMBED_SIZE_EXCEEDED", message)


def _check_embed(errors: FormErrors, path: str, embed: Json) -> int:
    """Check one embed, and return how many characters it adds to the total."""
    total = len(errors.text(f"{path}.title", embed.get("title"), longest=256))
    total += len(errors.text(f"{path}.description", embed.get("description"), longest=4096))
    footer, author = _inner(embed, "footer"), _inner(embed, "author")
    total += len(errors.text(f"{path}.footer.text", footer.get("text"), longest=2048))
    total += len(errors.text(f"{path}.author.name", author.get("name"), longest=256))
    for index, item in enumerate(errors.objects(f"{path}.fields", embed.get("fields"), most=25)):
        at = f"{path}.fields.{index}"
        total += len(errors.text(f"{at}.name", item.get("name"), longest=256, shortest=1))
        total += len(errors.text(f"{at}.value", item.get("value"), longest=1024, shortest=1))
    colour = embed.get("color")
    if colour is not None and not (isinstance(colour, int) and 0 <= colour <= 0xFFFFFF):
        errors.add(f"{path}.color", "NUMBER_TYPE_MAX", "int value should be at most 16777215.")
    for medium in ("image", "thumbnail"):
        _check_address(errors, f"{path}.{medium}.url", _inner(embed, medium).get("url"))
    _check_address(errors, f"{path}.url", embed.get("url"))
    return total


def _inner(embed: Json, name: str) -> Json:
    value = embed.get(name)
    return value if isinstance(value, dict) else {}


def _check_address(errors: FormErrors, path: str, value: object) -> None:
    if value is None:
        return
    if not str(value).startswith(("http://", "https://", "attachment://")):
        errors.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")


def _check_components(errors: FormErrors, payload: Json, *, is_v2: bool) -> None:
    most = MOST_COMPONENTS_V2 if is_v2 else MOST_ROWS
    rows = errors.objects("components", payload.get("components"), most=most)
    if is_v2 and (payload.get("content") or payload.get("embeds")):
        message = "The 'content' and 'embeds' fields cannot be used with components V2."
        errors.add("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)
    seen: set[str] = set()
    for index, row in enumerate(rows):
        path = f"components.{index}"
        if row.get("type") == Kind.ROW:
            _check_row(errors, path, row, seen)
        elif not is_v2:
            message = 'Value of field "type" must be one of (1,).'
            errors.add(f"{path}.type", "UNION_TYPE_CHOICES", message)


def _check_row(errors: FormErrors, path: str, row: Json, seen: set[str]) -> None:
    items = errors.objects(f"{path}.components", row.get("components"), least=1, most=5)
    if len(items) > 1 and any(item.get("type") in SELECTS for item in items):
        message = "A row holds five buttons or one select menu."
        errors.add(f"{path}.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message)
    for index, item in enumerate(items):
        at = f"{path}.components.{index}"
        if item.get("type") == Kind.BUTTON:
            _check_button(errors, at, item, seen)
        elif item.get("type") in SELECTS:
            _check_select(errors, at, item, seen)
        else:
            errors.add(f"{at}.type", "UNION_TYPE_CHOICES", "Must be a button or a select menu.")


def _check_button(errors: FormErrors, path: str, button: Json, seen: set[str]) -> None:
    style = button.get("style")
    if style not in range(1, 7):
        errors.add(f"{path}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}.")
    label = errors.text(f"{path}.label", button.get("label"), longest=80)
    if button.get("custom_id") and button.get("url"):
        message = "A custom id and url cannot both be specified"
        errors.add(path, "BUTTON_COMPONENT_CUSTOM_ID_AND_URL_MUTUALLY_EXCLUSIVE", message)
    if style == _LINK:
        _check_link(errors, f"{path}.url", button.get("url"))
    elif style != _PREMIUM:
        check_custom_id(errors, path, button, seen)
    if style != _PREMIUM and not label and not button.get("emoji"):
        errors.add(path, "BUTTON_COMPONENT_INVALID_LABEL", "A label or an emoji is required")


def _check_link(errors: FormErrors, path: str, value: object) -> None:
    url = errors.text(path, value, longest=512, shortest=1)
    if not url:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        errors.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")
        return
    if parts.scheme not in _LINK_SCHEMES:
        message = f"Scheme {parts.scheme!r} is not supported: it must be one of {_LINK_SCHEMES}."
        errors.add(path, "URL_TYPE_INVALID_SCHEME", message)
    elif not parts.netloc:
        errors.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")


def _check_select(errors: FormErrors, path: str, select: Json, seen: set[str]) -> None:
    check_custom_id(errors, path, select, seen)
    errors.text(f"{path}.placeholder", select.get("placeholder"), longest=150)
    most = check_range(errors, path, select, least=0, most=MOST_OPTIONS)
    if select.get("type") == Kind.STRING_SELECT:
        at = f"{path}.options"
        options = select.get("options")
        check_options(errors, at, options, least=most, most=MOST_OPTIONS, most_chosen=most)
