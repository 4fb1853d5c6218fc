"""Words in the language of whoever reads them. Which that is, a task says once, with `activate`."""

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
    """Words to be said, in English; `bot/i18n/locales` has them in other languages.

    It is no string, so that a type checker finds what was forgotten to be said.
    """

    english: str

    @property
    def fields(self) -> frozenset[str]:
        """What must be known to say it."""
        return fields_of(self.english)


@dataclass(frozen=True, slots=True)
class PluralMessage:
    """Words that depend on a number; each language has its own forms."""

    one: str
    many: str
    by: str
    """The field that is counted."""

    @property
    def fields(self) -> frozenset[str]:
        """What must be known to say it."""
        return fields_of(self.many)


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A catalogue, and how figures are written beside its words."""

    code: str
    catalogue: NullTranslations

    def word(self, text: Message | PluralMessage, facts: dict[str, object]) -> str:
        """Return the words, not yet filled in; in English where the catalogue lacks them."""
        match text:
            case Message(english):
                return self.catalogue.gettext(english)
            case PluralMessage(one, many, by):
                count = facts[by]
                if not isinstance(count, int):
                    raise TypeError(f"{by} is to be counted, and is no whole number")
                return self.catalogue.ngettext(one, many, count)

    def number(self, value: float) -> str:
        """Return a number as it is written."""
        return format_decimal(value, locale=Locale.parse(self.code, sep="-"))


ENGLISH = Language(code="en", catalogue=NullTranslations())

_spoken: ContextVar[Language] = ContextVar("spoken", default=ENGLISH)


def activate(language: Language) -> None:
    """Speak a language for the rest of this task, and in what it starts."""
    _spoken.set(language)


@contextmanager
def active_language(language: Language) -> Iterator[None]:
    """Speak a language for a while."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def gettext(text: Message | PluralMessage, /, **facts: object) -> str:
    """Return the text in the language that is spoken, filled in."""
    return _spoken.get().word(text, facts).format(**facts)


def number(value: float) -> str:
    """Return a number as it is written in the language that is spoken."""
    return _spoken.get().number(value)


def fields_of(template: str) -> frozenset[str]:
    """Return the names of a template's fields."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)
