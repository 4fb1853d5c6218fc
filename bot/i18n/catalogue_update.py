"""`make messages`: updates the catalogues in `bot/i18n/locales` from the sources."""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from bot.i18n.languages import FOLDER

KEYWORDS = {"Message": None, "PluralMessage": (1, 2), "locale_str": None}
ROOT = FOLDER.parents[2]
SOURCES = ("bot/ui", "bot/mixer", "cogs")
WIDTH = 100
HEADER = r"""# {name}. `make messages` keeps this file in step; what it marks as fuzzy is a guess.
msgid ""
msgstr ""
"Language: {code}\n"
"Plural-Forms: {plurals}\n"
"Content-Type: text/plain; charset=utf-8\n"

"""


def texts_in(root: Path = ROOT) -> Catalog:
    """Return every message in the sources, in English, with its location."""
    texts = Catalog()
    for folder in SOURCES:
        for name, _, text, _, _ in extract_from_dir(root / folder, keywords=KEYWORDS):
            texts.add(text, locations=[(f"{folder}/{Path(name).as_posix()}", 0)])
    return texts


def update(path: Path, texts: Catalog) -> None:
    """Add missing messages to a catalogue, untranslated or with a fuzzy guess; drop unused ones."""
    catalogue = read_catalogue(path)
    catalogue.update(texts)
    with path.open("wb") as file:
        file.write(_header(catalogue).encode())
        # Line numbers and dates are omitted, so that a catalogue changes only with its messages.
        write_po(
            file,
            catalogue,
            width=WIDTH,
            omit_header=True,
            include_lineno=False,
            ignore_obsolete=True,
        )


def read_catalogue(path: Path) -> Catalog:
    """Read a catalogue, named after its language; the file may be empty."""
    with path.open("rb") as file:
        return read_po(file, locale=path.stem.replace("-", "_"))


def _header(catalogue: Catalog) -> str:
    return HEADER.format(
        name=catalogue.locale.english_name,
        code=catalogue.locale_identifier,
        plurals=catalogue.plural_forms,
    )


if __name__ == "__main__":
    for file in sorted(FOLDER.glob("*.po")):
        update(file, texts_in())
