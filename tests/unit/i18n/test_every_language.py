"""In every language: nothing is too long for Discord or its buttons, and nothing stays unsaid."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from gettext import NullTranslations
from pathlib import Path

import pytest

from bot.delivery.port import DeliveryLink
from bot.domain.attempt import AttemptError
from bot.domain.errors import Problem, Reason
from bot.domain.guilds import DeliveryMode, GuildRules
from bot.domain.job import DeliveryDifference, JobId, State
from bot.domain.minutes import PeriodKind, period_at
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.i18n.languages import Languages
from bot.i18n.translation import ENGLISH, Language, active_language, gettext
from bot.jobs.intake import Limits
from bot.scheduling.plans import Offer
from bot.scheduling.progress import Progress, Stage
from bot.ui.cards.card import (
    Card,
    Tone,
    card_of,
    continued_card,
    forwarded_card,
    help_card,
    jobs_card,
    quota_card,
    result_card,
)
from bot.ui.cards.controls import BUTTON_LABELS
from bot.ui.commands.choices import job_choices, recipe_choices
from bot.ui.commands.registration import commands_payload
from bot.ui.components.song_choice import MOST_WISHED
from bot.ui.texts import admin_texts, labels, messages, privacy_texts
from bot.ui.texts.names import RECIPES
from cogs import EXTENSIONS
from sandbox.command_rules import check_commands
from tests.support.card_factories import NOW, a_job, a_parcel, a_usage
from tests.unit.ui.test_client import a_client
from tests.unit.ui.texts.test_admin_texts import BOOK, a_provider, stats

SPOKEN = [ENGLISH, *Languages.in_folder()]
OFFERS = [Offer(recipe, ("local",), is_basic=True) for recipe in Recipe]
FORMATS = (AudioFormat.MP3, AudioFormat.FLAC, AudioFormat.WAV)
WIDEST_BUTTON = 22
"""In columns, of which a Japanese letter takes two: five of them fit a card on a wide screen."""

in_each_language = pytest.mark.parametrize("language", SPOKEN, ids=lambda each: each.code)


def cards(folder: Path, *, title: str = "♪", provider: str = "♫") -> Iterator[Card]:
    """Draw one of each card; the song and its provider are called as given."""
    for state in State:
        yield card_of(a_job(state, title=title), is_closing=True)
    for stage in Stage:
        for progress in (
            Progress(stage=stage),
            Progress(stage=stage, provider=provider, former=provider, ahead=2, eta_s=40),
            Progress(stage=stage, provider=provider, fraction=0.5, eta_s=600),
        ):
            yield card_of(a_job(State.PROCESSING, title=title), progress)
    for reason in Reason:
        yield card_of(a_job(State.FAILED, title=title, problem=Problem(reason)))
    link = DeliveryLink(
        stem=Stem.NO_DRUMS, url="https://♪", audio_format=None, expires_at=NOW + timedelta(hours=1)
    )
    parcel = a_parcel(
        folder, links=(link,), alternatives=FORMATS, sent=DeliveryDifference.LOWER_BIT_RATE
    )
    made = a_job(State.READY, title=title)
    yield from (result_card(made, parcel), forwarded_card(made, parcel), continued_card(made))
    every = [a_job(state, id=JobId("22222"), title=title) for state in State]
    yield from (jobs_card(every), jobs_card([]))
    for kind in PeriodKind:
        usage = a_usage(held=3, period=period_at(NOW, kind))
        yield quota_card(usage, a_usage(guild_id=7), 12)
    yield help_card(OFFERS, Limits(max_file_mib=100, max_duration_minutes=2.5))
    resting = a_provider(title=provider, rests_until=NOW, cause=AttemptError.AUTH, book=BOOK)
    for lines in (
        admin_texts.provider_lines((resting,)),
        admin_texts.stats_lines(stats(PeriodKind.WEEK, daily_cap=10)),
        admin_texts.rules_lines(GuildRules(delivery=DeliveryMode.LINKS)),
        privacy_texts.privacy_lines(keep=timedelta(hours=24), recipients=["♪", "♫"]),
        privacy_texts.confirm_lines(),
        (privacy_texts.done_line(0), privacy_texts.done_line(1), privacy_texts.done_line(2)),
    ):
        yield Card(title="", lines=lines, tone=Tone.QUIET)


def columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


@in_each_language
def test_every_card_fits_discord(language: Language, tmp_path: Path) -> None:
    with active_language(language):
        for card in cards(tmp_path, title="x" * 200, provider="y" * 200):
            assert len(card.title) <= 256
            assert len("\n".join(card.lines)) <= 4096
            assert len(card.plain) <= 2000
            if card.menu is not None:
                assert len(card.menu.placeholder) <= 150
                for choice in card.menu.choices:
                    assert max(len(choice.label), len(choice.detail or "")) <= 100


@in_each_language
def test_every_button_is_short_enough_to_stand_beside_others(language: Language) -> None:
    with active_language(language):
        named = [gettext(label) for label in BUTTON_LABELS.values()]
        named += [gettext(RECIPES[recipe]) for recipe in MOST_WISHED]
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
    client = a_client()
    for extension in EXTENSIONS:
        await client.load_extension(extension)
    payload = await commands_payload(client, Languages.in_folder())
    await client.close()
    check_commands(payload)
    for command in payload:
        assert set(told_in(command)) >= {"ja", "pt-BR", "es-ES", "es-419"}, command["name"]


def told_in(command: dict[str, dict[str, str]]) -> dict[str, str]:
    return command.get("description_localizations") or command["name_localizations"]


class Bracketing(NullTranslations):
    """Marks what was said, so that what was not can be seen."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid2}⟧"


_SAID = re.compile(r"⟦[^⟦⟧]*⟧")
_FACTS = re.compile(r"<t:\d+:R>|`[a-z0-9]+`|\b(MP3|FLAC|WAV|Stemcord|FineVoice|https)\b|x{9,}")


def unsaid(text: str) -> str:
    """Return the letters of a text that are neither said nor a fact."""
    while (rest := _SAID.sub(" ", text)) != text:
        text = rest
    return "".join(filter(str.isalpha, _FACTS.sub("", text)))


def test_no_word_of_a_card_goes_past_the_catalogues(tmp_path: Path) -> None:
    with active_language(Language(code="en", catalogue=Bracketing())):
        for card in cards(tmp_path):
            for text in (card.title, *card.lines, *(each.label for each in card.buttons)):
                assert unsaid(text) == ""
    assert unsaid("⟦In ⟦line⟧⟧ here") == "here"


def test_no_sentence_is_said_in_english_in_another_language() -> None:
    for language in Languages.in_folder():
        with active_language(language):
            said = {
                gettext(messages.NO_JOBS),
                gettext(messages.NOT_FOUND),
                gettext(labels.SPLIT_MENU),
            }
        assert not said & {messages.NO_JOBS.english, messages.NOT_FOUND.english}
