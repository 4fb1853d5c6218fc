"""The available languages: English, and one for each file in `bot/i18n/locales`."""

import logging
from collections.abc import Iterator, Mapping
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Self

from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bot.i18n.translation import ENGLISH, Language, activate, fields_of

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "locales"


class Languages:
    """Finds the language for a Discord locale, which is English if there is no catalogue."""

    def __init__(self, languages: Mapping[str, Language]) -> None:
        self._languages = dict(languages)

    @classmethod
    def in_folder(cls, folder: Path = FOLDER) -> Self:
        """Read every catalogue in a folder.

        Each file is named after a Discord locale, or after a language that several locales share.
        """
        return cls({path.stem: read_language(path) for path in sorted(folder.glob("*.po"))})

    def __iter__(self) -> Iterator[Language]:
        """Iterate over all languages but English."""
        return iter(self._languages.values())

    def of(self, locale: str) -> Language:
        """Return the language for a Discord locale."""
        return self.other_than_english(locale) or ENGLISH

    def other_than_english(self, locale: str) -> Language | None:
        """Return the language for a locale, like `es` for `es-419`; None if that is English."""
        return self._languages.get(locale) or self._languages.get(locale.partition("-")[0])

    def activate(self, locale: str) -> None:
        """Activate a locale's language for the rest of this task."""
        activate(self.of(locale))


def read_language(path: Path) -> Language:
    """Read a catalogue; messages with an empty, fuzzy or unusable translation stay in English."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem.replace("-", "_"))
    for entry in [*catalogue]:
        if entry.id and not _is_usable(entry):
            log.warning("%s: unusable translation, kept in English: %s", path.name, entry.id)
            catalogue.delete(entry.id)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Language(code=path.stem, catalogue=GNUTranslations(compiled))


def _is_usable(entry: Message) -> bool:
    """Whether the translation has all plural forms and uses only the fields of the message."""
    english = entry.id if isinstance(entry.id, str) else entry.id[-1]
    forms = [entry.string or ""] if isinstance(entry.string, str | None) else [*entry.string]
    facts = dict.fromkeys(fields_of(english), "…")
    try:
        return all(form and form.format(**facts) for form in forms)
    except (LookupError, ValueError, AttributeError, TypeError):
        return False
