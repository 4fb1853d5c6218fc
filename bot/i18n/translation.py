"""Translates messages into the active language, which each task sets with `activate`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from gettext import NullTranslations
from string import Formatter

from babel import Locale
from babel.numbers import format_decimal


@dataclass(frozen=True, slots=True)
class Message:
    """A translatable message in English; translations are in `bot/i18n/locales`.

    It is not a string, so that a type checker finds messages that were not translated.
    """

    english: str

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that the message needs."""
        return fields_of(self.english)


@dataclass(frozen=True, slots=True)
class PluralMessage:
    """A translatable message that depends on a number; languages have different plural forms."""

    one: str
    many: str
    by: str
    """The field that decides the plural form."""

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that the message needs."""
        return fields_of(self.many)


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language's catalogue and number format."""

    code: str
    catalogue: NullTranslations

    def template(self, message: Message | PluralMessage, facts: dict[str, object]) -> str:
        """Return the unformatted translation, or the English text if there is none.

        Raises TypeError if the number that decides the plural form is not an integer.
        """
        match message:
            case Message(english):
                return self.catalogue.gettext(english)
            case PluralMessage(one, many, by):
                count = facts[by]
                if not isinstance(count, int):
                    raise TypeError(f"{by} must be an integer to choose a plural form")
                return self.catalogue.ngettext(one, many, count)

    def number(self, value: float) -> str:
        """Return a number in the language's format."""
        return format_decimal(value, locale=Locale.parse(self.code, sep="-"))


ENGLISH = Language(code="en", catalogue=NullTranslations())

_active: ContextVar[Language] = ContextVar("active_language", default=ENGLISH)


def activate(language: Language) -> None:
    """Activate a language for the rest of this task and for tasks that it starts."""
    _active.set(language)


@contextmanager
def active_language(language: Language) -> Iterator[None]:
    """Activate a language within the `with` block."""
    token = _active.set(language)
    try:
        yield
    finally:
        _active.reset(token)


def gettext(message: Message | PluralMessage, /, **facts: object) -> str:
    """Return the message in the active language, formatted with `facts`."""
    return _active.get().template(message, facts).format(**facts)


def number(value: float) -> str:
    """Return a number in the active language's format."""
    return _active.get().number(value)


def fields_of(template: str) -> frozenset[str]:
    """Return the field names of a template."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)
