"""Finds text in messages that is not in the reader's language."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from babel.messages.catalog import Catalog
from playwright.async_api import Locator

from bot.i18n.catalogue_update import read_catalogue
from bot.i18n.languages import FOLDER

SEEN = ".content, .embed-title, .embed-description, .row button"
_MARKS = re.compile(r"\{\w*\}|`[^`]*`|\*\*|<[^>]*>|\(\{url\}\)|[\[\]]")
_NAMES = re.compile(
    r"/[a-z ]+|Stemcord|First|Second|Embedded|Ada|Ben|Cleo|MP3|FLAC|WAV|Opus|[Zz]ip|BPM|MiB|DM"
    r"|Discord"
)


async def words_of(message: Locator) -> list[str]:
    """Return the bot's texts in a message, including buttons and menus but not file names."""
    return [text for text in await message.locator(SEEN).all_inner_texts() if text.strip()]


@dataclass(frozen=True, eq=False)
class Reader:
    """A user with one of Discord's locales."""

    locale: str
    name: str
    """The language's name in the page's menu."""

    def english_in(self, texts: list[str], *, known: set[str]) -> list[str]:
        """Return the texts that contain English. `known` contains names without a language."""
        return [text for text in texts if self._has_english(text, known)]

    def _has_english(self, text: str, known: set[str]) -> bool:
        if any(re.search(rf"\b{re.escape(each)}\b", text) for each in self._english):
            return True
        without = _NAMES.sub("", text)
        for name in known:
            without = without.replace(name, "")
        return self.locale == "ja" and bool(re.search(r"[A-Za-z]{3,}", without))

    @cached_property
    def _english(self) -> frozenset[str]:
        """Pieces of English sentences that occur in no sentence of the language."""
        spoken = "\n".join(form for entry in self._entries() for form in _forms(entry[1]))
        return frozenset(
            piece
            for english, _ in self._entries()
            for form in _forms(english)
            for each in _MARKS.split(form)
            if len(piece := each.strip(" .,:;·…")) >= 4 and piece not in spoken
        )

    def _entries(self) -> Iterator[tuple[object, object]]:
        catalogue: Catalog = read_catalogue(_path(self.locale))
        return ((entry.id, entry.string) for entry in catalogue if entry.id)


def _path(locale: str) -> Path:
    paths = (FOLDER / f"{name}.po" for name in (locale, locale.partition("-")[0]))
    return next(path for path in paths if path.exists())


def _forms(words: object) -> tuple[str, ...]:
    return words if isinstance(words, tuple) else (str(words),)
