from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bot.delivery.port import DeliveryLink
from bot.domain.job import State
from bot.domain.recipes import AudioFormat, Stem
from bot.i18n.translation import gettext
from bot.ui.cards.link_lines import MAX_PLAIN, plain_result
from bot.ui.cards.result_cards import continued_card, result_card
from bot.ui.texts import messages
from tests.support.card_factories import NOW, a_delivery, a_job

OURS = DeliveryLink(
    stem=Stem.NO_DRUMS,
    url="https://stems.example.org/r/k7f2q.x/no_drums.wav",
    audio_format=AudioFormat.WAV,
    expires_at=NOW + timedelta(hours=24),
)
THEIRS = replace(OURS, stem=Stem.VOCALS, audio_format=None, expires_at=None)


def test_a_link_says_what_it_brings_and_until_when(tmp_path: Path) -> None:
    card = result_card(a_job(State.READY), a_delivery(tmp_path, links=(OURS, THEIRS)))
    assert card.lines[1:3] == (
        f"[No drums, WAV]({OURS.url}), expires <t:{int(NOW.timestamp()) + 86_400}:R>",
        f"[Vocals]({THEIRS.url})",
    )


def test_links_are_given_in_plain_words_too_where_there_is_room(tmp_path: Path) -> None:
    delivery = a_delivery(tmp_path, links=(OURS,))
    assert OURS.url in result_card(a_job(State.READY), delivery).plain
    long = replace(OURS, url=OURS.url + "x" * MAX_PLAIN)
    assert plain_result(a_delivery(tmp_path, links=(long,))) == gettext(messages.PLAIN_RESULT)


def test_six_of_the_longest_links_fit_a_card(tmp_path: Path) -> None:
    longest = replace(OURS, url="https://" + "x" * 504)
    card = result_card(
        a_job(State.READY, title="y" * 80), a_delivery(tmp_path, links=(longest,) * 6)
    )
    assert len("\n".join(card.lines)) < 4096


def test_the_second_message_names_its_song(tmp_path: Path) -> None:
    card = continued_card(a_job(State.READY, title="Neon [Rain]"))
    assert card.title == "Neon \\[Rain\\] · Karaoke"
    assert card.lines == (gettext(messages.CONTINUED),)
