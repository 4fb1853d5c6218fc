"""Translates commands; Discord shows them to each user in the user's language."""

from collections.abc import Callable

from discord import Locale
from discord.app_commands import (
    ContextMenu,
    TranslationContextLocation,
    TranslationContextTypes,
    Translator,
    locale_str,
)

from bot.i18n.languages import Languages
from bot.i18n.translation import Message, active_language, gettext

COMPOSE = "compose"

# Users type these names and mention them to others, so they are the same in every language.
_TYPED = frozenset(
    {
        TranslationContextLocation.command_name,
        TranslationContextLocation.group_name,
        TranslationContextLocation.parameter_name,
    }
)


class CommandTranslator(Translator):
    """Translates descriptions, and the names of context-menu commands."""

    def __init__(self, *, languages: Languages) -> None:
        self._languages = languages

    async def translate(
        self, string: locale_str, locale: Locale, context: TranslationContextTypes
    ) -> str | None:
        """Return the text in the locale's language, or None if it stays in English."""
        if context.location in _TYPED and not isinstance(context.data, ContextMenu):
            return None
        language = self._languages.other_than_english(locale.value)
        if language is None:
            return None
        with active_language(language):
            compose: Callable[[], str] | None = string.extras.get(COMPOSE)
            words = compose() if compose else gettext(Message(string.message))
        return None if words == string.message else words


def composed(compose: Callable[[], str]) -> locale_str:
    """Return a string that is composed separately for each language."""
    return locale_str(compose(), **{COMPOSE: compose})
