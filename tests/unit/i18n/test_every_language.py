"""In every language, all texts are translated and fit Discord's limits and buttons."""

import re
import unicodedata
from gettext import NullTranslations
from pathlib import Path

import pytest

from bot.domain.job import State
from bot.i18n.translation import ENGLISH, Language, active_language, gettext
from bot.ui.cards.controls import LABELS
from bot.ui.cards.song_cards import POPULAR_RECIPES
from bot.ui.commands.choices import job_choices, recipe_choices
from bot.ui.commands.registration import commands_payload
from bot.ui.texts import labels, messages, privacy_texts
from bot.ui.texts.names import RECIPES
from sandbox.command_rules import check_commands
from tests.support.card_factories import a_job
from tests.support.card_gallery import OFFERS, every_card
from tests.support.installed_languages import installed
from tests.unit.ui.test_client import a_client

SPOKEN = [ENGLISH, *installed()]
WIDEST_BUTTON = 22
"""In columns, two per Japanese character. Five such buttons fit a card on a wide screen."""

in_each_language = pytest.mark.parametrize("language", SPOKEN, ids=lambda each: each.code)


def columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


@in_each_language
def test_every_button_is_short_enough_to_stand_beside_others(language: Language) -> None:
    with active_language(language):
        named = [gettext(label) for label in LABELS.values()]
        named += [gettext(RECIPES[recipe]) for recipe in POPULAR_RECIPES]
        named += [gettext(labels.CANCEL_ONE, job_id="k7f2q")]
        named += [gettext(privacy_texts.DELETE), gettext(privacy_texts.CONFIRMED)]
    assert [label for label in named if not 0 < columns(label) <= WIDEST_BUTTON] == []


@in_each_language
def test_every_choice_fits_and_can_be_told_apart(language: Language) -> None:
    with active_language(language):
        names = [choice.name for choice in recipe_choices(OFFERS)]
        jobs = job_choices("", [a_job(state, title="x" * 200) for state in State])
    assert len(set(names)) == len(names)
    assert max(map(len, [*names, *(choice.name for choice in jobs)])) <= 100


async def test_discord_takes_the_commands_in_every_language() -> None:
    client = await a_client()
    payload = await commands_payload(client, installed())
    await client.close()
    check_commands(payload)
    for command in payload:
        assert set(told_in(command)) >= {"ja", "pt-BR", "es-ES", "es-419"}, command["name"]


def told_in(command: dict[str, dict[str, str]]) -> dict[str, str]:
    return command.get("description_localizations") or command["name_localizations"]


class Bracketing(NullTranslations):
    """Marks translated text, so that untranslated text stands out."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid2}⟧"


_SAID = re.compile(r"⟦[^⟦⟧]*⟧")
_FACTS = re.compile(r"<t:\d+:R>|`[a-z0-9]+`|\b(MP3|FLAC|WAV|Stemcord|FineVoice|https)\b|x{9,}")


def unsaid(text: str) -> str:
    """Return the letters of a text that are neither translated nor facts."""
    while (rest := _SAID.sub(" ", text)) != text:
        text = rest
    return "".join(filter(str.isalpha, _FACTS.sub("", text)))


def test_no_word_of_a_card_goes_past_the_catalogues(tmp_path: Path) -> None:
    with active_language(Language(code="en", catalogue=Bracketing())):
        for card in every_card(tmp_path):
            for text in (card.title, *card.lines, *(each.label for each in card.buttons)):
                assert unsaid(text) == ""
    assert unsaid("⟦In ⟦line⟧⟧ here") == "here"


def test_no_sentence_is_said_in_english_in_another_language() -> None:
    for language in installed():
        with active_language(language):
            said = {
                gettext(messages.NO_JOBS),
                gettext(messages.NOT_FOUND),
                gettext(labels.SPLIT_MENU),
            }
        assert not said & {messages.NO_JOBS.english, messages.NOT_FOUND.english}
