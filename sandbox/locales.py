"""Discord's locales, and texts with translations."""

from sandbox.errors import Json

ENGLISH = "en-US"
LOCALES = (
    *("en-US", "en-GB", "bg", "cs", "da", "de", "el", "es-419", "es-ES", "fi", "fr", "hi", "hr"),
    *("hu", "id", "it", "ja", "ko", "lt", "nl", "no", "pl", "pt-BR", "ro", "ru", "sv-SE", "th"),
    *("tr", "uk", "vi", "zh-CN", "zh-TW"),
)


def longest(item: Json, name: str) -> int:
    """Return the length of a text in its longest language."""
    localized = item.get(f"{name}_localizations")
    others = localized.values() if isinstance(localized, dict) else ()
    return max(len(str(text)) for text in (item.get(name, ""), *others))
