"""Choosing a user's language, and adding a language by adding a file."""

import shutil
from pathlib import Path

import discord
import pytest
from babel.messages.catalog import Catalog

from bot.domain.errors import Problem, Reason
from bot.domain.job import State
from bot.i18n.catalogue_update import update
from bot.i18n.languages import FOLDER, Languages
from bot.i18n.translation import ENGLISH, Message, PluralMessage, active_language, gettext, number
from bot.ui.cards.controls import LABELS
from bot.ui.cards.job_cards import card_of, jobs_card
from bot.ui.commands.choices import job_choices, recipe_choices
from bot.ui.commands.registration import commands_payload
from bot.ui.texts import messages
from tests.support.card_factories import a_job
from tests.support.discord_fakes import OfferingSplits
from tests.support.installed_languages import installed
from tests.unit.ui.test_client import a_client

MADE_UP = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n==2 ? 1 : 2);\n"

msgid "Cancel"
msgstr "Annuleren"

msgid "Show your songs"
msgstr "Toon je liedjes"

msgid "Split this audio"
msgstr "Splits deze audio"

msgid "Karaoke"
msgstr "Meezingen"

#, fuzzy
msgid "Separating"
msgstr "Scheiden?"

msgid "You already have {limit} song in progress. Wait for it to finish, or stop it with `/cancel`."
msgid_plural ""
"You already have {limit} songs in progress. Wait for one to finish, or stop one with `/cancel`."
msgstr[0] "een {limit}"
msgstr[1] "twee {limit}"
msgstr[2] "veel {limit}"
"""


@pytest.fixture
def with_one_more(tmp_path: Path) -> Languages:
    shutil.copytree(FOLDER, tmp_path / "locales")
    (tmp_path / "locales" / "nl.po").write_text(MADE_UP)
    return Languages.in_folder(tmp_path / "locales")


@pytest.mark.parametrize(
    ("locale", "code"),
    [
        ("es-ES", "es"),
        ("es-419", "es"),
        ("pt-BR", "pt-BR"),
        ("ja", "ja"),
        ("en-US", "en"),
        ("en-GB", "en"),
        ("", "en"),
    ],
)
def test_each_of_discords_locales_has_its_language(locale: str, code: str) -> None:
    assert installed().of(locale).code == code


def test_who_has_no_catalogue_is_spoken_to_in_english() -> None:
    assert Languages({}).of("de") is ENGLISH


@pytest.mark.parametrize("locale", list(discord.Locale))
def test_any_of_discords_locales_may_have_a_catalogue(
    locale: discord.Locale, tmp_path: Path
) -> None:
    path = tmp_path / f"{locale.value}.po"
    path.touch()
    texts = Catalog()
    texts.add(("{n} song", "{n} songs"), locations=[("a.py", 0)])
    update(path, texts)
    with active_language(Languages.in_folder(tmp_path).of(locale.value)):
        assert gettext(PluralMessage("{n} song", "{n} songs", by="n"), n=2) == "2 songs"
        assert number(2.5) != "2"


def test_one_more_language_is_one_more_file(with_one_more: Languages) -> None:
    with active_language(with_one_more.of("nl")):
        card = card_of(a_job(State.PROCESSING))
    assert [button.label for button in card.buttons] == ["Annuleren"]
    assert card.title == "Neon Rain · Meezingen"
    assert card.lines == ("Separating",), "what is only guessed, or missing, stays English"


@pytest.mark.parametrize(("limit", "words"), [(1, "een 1"), (2, "twee 2"), (5, "veel 5")])
def test_a_language_has_its_own_plurals(with_one_more: Languages, limit: int, words: str) -> None:
    with active_language(with_one_more.of("nl")):
        assert messages.problem(Problem(Reason.TOO_MANY_JOBS, {"limit": limit})) == words


@pytest.mark.parametrize(
    "said", ["{nobody} knows", "open {brace", "", "{}", "{0}", "{name:d}", "{name!x}", "{name.x}"]
)
def test_what_cannot_be_filled_in_stays_english(tmp_path: Path, said: str) -> None:
    (tmp_path / "nl.po").write_text(f'msgid "Hello {{name}}"\nmsgstr "{said}"\n')
    with active_language(Languages.in_folder(tmp_path).of("nl")):
        assert gettext(Message("Hello {name}"), name="Ada") == "Hello Ada"


async def test_discord_is_told_of_commands_in_one_more_language(with_one_more: Languages) -> None:
    client = await a_client()
    payload = {each["name"]: each for each in await commands_payload(client, with_one_more)}
    await client.close()
    assert payload["jobs"]["description_localizations"]["nl"] == "Toon je liedjes"
    assert payload["jobs"]["name_localizations"] == {}, "people tell each other what to type"
    assert payload["Split this audio"]["name_localizations"]["nl"] == "Splits deze audio"
    stems = next(each for each in payload["split"]["options"] if each["name"] == "stems")
    karaoke = stems["choices"][0]
    assert karaoke["name"] == "Karaoke: instrumental and vocals (basic)"
    assert karaoke["name_localizations"]["nl"] == "Meezingen: instrumental and vocals (basic)"
    assert karaoke["name_localizations"]["es-419"] == "Karaoke: instrumental y voz (calidad básica)"
    assert "nl" not in payload["split"]["description_localizations"], "missing is English"


@pytest.mark.parametrize(
    ("locale", "title", "line", "button"),
    [
        ("es-ES", "Neon Rain · Karaoke", "Separando", "Cancelar"),
        ("pt-BR", "Neon Rain · Karaokê", "Separando", "Cancelar"),
        ("ja", "Neon Rain · カラオケ", "分離中", "キャンセル"),
    ],
)
def test_a_card_speaks_the_language(locale: str, title: str, line: str, button: str) -> None:
    with active_language(installed().of(locale)):
        card = card_of(a_job(State.PROCESSING))
    assert (card.title, card.lines[0]) == (title, line)
    assert [each.label for each in card.buttons] == [button]


def test_choices_follow_the_reader(with_one_more: Languages) -> None:
    with active_language(with_one_more.of("ja")):
        names = [choice.name for choice in recipe_choices(OfferingSplits().offers())]
    assert names[0] == "カラオケ：インストとボーカル（簡易版）"


def test_lists_of_songs_use_the_languages_own_punctuation() -> None:
    with active_language(installed().of("ja")):
        [line] = jobs_card([a_job(State.DELIVERED)]).lines
        [choice] = job_choices("", [a_job(State.DELIVERED)])
    assert line.endswith(" · カラオケ：完了")
    assert choice.name == "Neon Rain · カラオケ：完了 (k7f2q)"


def test_what_a_catalogue_lacks_is_said_in_english() -> None:
    with active_language(installed().of("ja")):
        assert gettext(Message("Nobody translated this.")) == "Nobody translated this."
        assert gettext(LABELS[next(iter(LABELS))]) != "Cancel"
