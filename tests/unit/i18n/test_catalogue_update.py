"""The catalogues contain every message, with the same placeholders and commands."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from bot.i18n.catalogue_update import read_catalogue, texts_in, update
from bot.i18n.languages import FOLDER

CATALOGUES = sorted(FOLDER.glob("*.po"))
MARKS = re.compile(r"\{\w*\}|`[^`]*`|\*\*|<[^>]*>|\(\{url\}\)")


@pytest.fixture(scope="module")
def texts() -> Catalog:
    return texts_in()


def faults_of(entry: Message, plurals: int) -> list[str]:
    """Return the faults of an entry in a catalogue with this many plural forms."""
    english = list(entry.id) if isinstance(entry.id, tuple) else [str(entry.id)]
    forms = list(entry.string) if isinstance(entry.string, tuple) else [str(entry.string)]
    faults = []
    if entry.fuzzy:
        faults.append(f"{english[0]!r} is only guessed")
    if len(forms) != (plurals if entry.pluralizable else 1) or not all(forms):
        faults.append(f"{english[0]!r} is not said, or not in all of its forms")
    wanted = Counter(MARKS.findall(english[-1]))
    faults += [
        f"{form!r} has not the marks of {english[-1]!r}"
        for form in forms
        if form and Counter(MARKS.findall(form)) != wanted
    ]
    return faults


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_everything_is_said_with_the_same_figures_commands_and_marks(path: Path) -> None:
    catalogue = read_catalogue(path)
    entries = [entry for entry in catalogue if entry.id]
    assert [fault for each in entries for fault in faults_of(each, catalogue.num_plurals)] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_has_what_the_sources_say_and_no_more(
    path: Path, texts: Catalog, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(path, tmp_path))
    update(copy, texts)
    assert copy.read_text() == path.read_text(), "make messages"


def test_the_sources_say_texts_counted_ones_and_descriptions(texts: Catalog) -> None:
    assert texts.get("Your stems are here.") is not None
    counted = texts.get("{songs} song and everything that belonged to it.")
    assert counted is not None
    assert counted.pluralizable
    assert texts.get("Split a song into stems") is not None


@pytest.mark.parametrize(
    ("english", "said", "fault"),
    [
        ("Split {count}", "", "not said"),
        ("Split {count}", "Teile", "marks"),
        ("Split {count}", "Teile {counts}", "marks"),
        ("Split {count}", "Teile {count} {count}", "marks"),
        ("See `/jobs`", "Siehe `/auftraege`", "marks"),
        ("**Today:** much", "**Heute: viel", "marks"),
        ("More <t:{at}:R>", "Mehr <t:{at}:f>", "marks"),
        (("{n} song", "{n} songs"), ("{n} Lied", "{n} Lieder"), "forms"),
        (("{n} song", "{n} songs"), ("{n} Lied", "", "{n} Lieder"), "forms"),
        (("{n} song", "{n} songs"), ("ein Lied", "{n} Lieder", "{n} Lieder"), "marks"),
    ],
)
def test_what_a_translator_may_get_wrong_is_found(
    english: str | tuple[str, str], said: str | tuple[str, ...], fault: str
) -> None:
    [found] = faults_of(Message(english, said), plurals=3)
    assert fault in found


def test_a_guess_is_found() -> None:
    [found] = faults_of(Message("Split", "Teile", flags=["fuzzy"]), plurals=1)
    assert "guessed" in found


def test_an_empty_file_is_filled_for_its_translator(tmp_path: Path, texts: Catalog) -> None:
    path = tmp_path / "pl.po"
    path.touch()
    update(path, texts)
    catalogue = read_catalogue(path)
    assert {entry.id for entry in catalogue} == {entry.id for entry in texts}
    assert catalogue.num_plurals == 3
    assert all(not "".join(entry.string or "") for entry in catalogue if entry.id)


def test_what_is_said_no_more_leaves_and_what_changed_a_little_is_guessed(tmp_path: Path) -> None:
    path = tmp_path / "nl.po"
    path.touch()
    before, after = Catalog(), Catalog()
    before.add("Send the song again.", locations=[("a.py", 0)])
    before.add("Gone", locations=[("a.py", 0)])
    after.add("Send this song again.", locations=[("a.py", 0)])
    update(path, before)
    path.write_text(path.read_text().replace('again."\nmsgstr ""', 'again."\nmsgstr "Nog eens."'))
    update(path, after)
    [entry] = [entry for entry in read_catalogue(path) if entry.id]
    assert (entry.id, entry.string, entry.fuzzy) == ("Send this song again.", "Nog eens.", True)
    assert "Gone" not in path.read_text()
