from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bot.delivery.port import DeliveryLink
from bot.domain.analysis import Analysis, Certainty, Key, KeyEstimate, TempoEstimate
from bot.domain.job import JobId, State
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import Rendition
from bot.i18n.translation import gettext
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Action, Button, Choice, Menu, MenuAction
from bot.ui.cards.result_cards import (
    MAX_PLAIN,
    continued_card,
    plain_result,
    rendition_card,
    result_card,
)
from bot.ui.cards.result_controls import Place
from bot.ui.texts import messages
from tests.support.card_factories import NOW, REQUEST, a_delivery, a_job


def test_the_result_shows_stems_length_format_and_cost(tmp_path: Path) -> None:
    card = result_card(a_job(State.READY), a_delivery(tmp_path))
    assert card == Card(
        title="Neon Rain · Karaoke",
        lines=(
            "Instrumental and vocals, 3:42, MP3",
            "4 min charged, 41 of 60 left today",
        ),
        tone=Tone.DONE,
        footer="k7f2q",
        picture="waveforms.png",
        buttons=(
            Button(Action.KEY_AND_SPEED, "k7f2q:plain", "Key & speed"),
            Button(Action.MIX, "k7f2q:plain", "Mix"),
            Button(Action.DELETE, "k7f2q", "Delete"),
        ),
        menu=Menu(
            action=MenuAction.MORE,
            subject="k7f2q:plain",
            placeholder="More",
            choices=(
                Choice("zip:mp3", "Zip: all files in one"),
                Choice("clip", "Clip for the soundboard"),
                Choice("dm", "To my DM"),
                Choice("recipe", "Other recipe"),
            ),
        ),
        plain="Your stems are here.",
    )


HEARD = Analysis(
    key=KeyEstimate(key=Key(tonic=9, is_minor=True), certainty=Certainty.LIKELY),
    tempo=TempoEstimate(bpm=96.0),
)


def test_the_result_says_what_was_heard(tmp_path: Path) -> None:
    card = result_card(a_job(State.READY, analysis=HEARD), a_delivery(tmp_path))
    assert card.lines[1] == "A minor, likely · 96 BPM"


def test_a_rendition_says_what_is_changed_and_how_it_sounds(tmp_path: Path) -> None:
    job = a_job(State.DELIVERED, analysis=HEARD)
    lower = job.asked_as(rendition=Rendition(cents=-200, speed_percent=90))
    card = rendition_card(lower, a_delivery(tmp_path), place=Place.SERVER)
    assert card.lines[:3] == (
        "Instrumental and vocals, 4:07, MP3",
        "Key −2 · Speed 90 %",
        "G minor, likely · 86 BPM",
    )


def test_a_mix_is_described_by_its_levels(tmp_path: Path) -> None:
    job = a_job(State.DELIVERED)
    quieter = job.asked_as(rendition=Rendition(levels=((Stem.VOCALS, 25),)))
    card = rendition_card(quieter, a_delivery(tmp_path), place=Place.SERVER)
    assert card.lines[:2] == ("Mix, 3:42, MP3", "Vocals 25 %")


def test_stems_that_were_made_before_are_said_to_be_free(tmp_path: Path) -> None:
    job = a_job(State.READY, minutes=None, repeat_of=JobId("m3x9p"))
    assert result_card(job, a_delivery(tmp_path)).lines[1:] == (
        "You already had these stems, so nothing was charged.",
    )


def test_the_result_says_what_was_sent_instead(tmp_path: Path) -> None:
    request = replace(REQUEST, audio_format=AudioFormat.FLAC)
    delivery = a_delivery(tmp_path, sent="mp3_instead", usage=None, picture=None)
    card = result_card(a_job(State.READY, request=request), delivery)
    assert card.lines == (
        "Instrumental and vocals, 3:42, MP3",
        "As MP3, because FLAC would exceed Discord's size limit here.",
        "4 min charged",
    )
    assert card.picture is None


def test_a_card_says_that_no_voice_was_heard(tmp_path: Path) -> None:
    card = result_card(a_job(State.READY, is_voiceless=True), a_delivery(tmp_path))
    assert "I heard no voice in this song." in card.lines


def test_a_card_says_that_two_parts_could_not_be_told_apart(tmp_path: Path) -> None:
    card = result_card(a_job(State.READY, is_unnamed=True), a_delivery(tmp_path))
    assert card.lines[0].startswith("Part 1 and part 2")
    assert any("which of the two parts is the vocals" in line for line in card.lines)


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


def test_the_card_names_the_model_if_users_should_know_it(tmp_path):
    named = result_card(a_job(State.READY), a_delivery(tmp_path, model="BS-RoFormer *SW*"))
    assert "Made with BS-RoFormer \\*SW\\*." in named.lines
    unnamed = result_card(a_job(State.READY), a_delivery(tmp_path))
    assert not any("Made with" in line for line in unnamed.lines)
