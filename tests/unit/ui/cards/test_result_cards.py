from dataclasses import replace
from pathlib import Path

from bot.domain.job import Context, JobId, State
from bot.domain.recipes import AudioFormat
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Action, Button
from bot.ui.cards.result_cards import result_card
from tests.support.card_factories import REPLY, REQUEST, a_delivery, a_job


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
            Button(Action.OTHER_RECIPE, JobId("k7f2q"), "Other recipe"),
            Button(Action.TO_DM, JobId("k7f2q"), "To my DM"),
            Button(Action.DELETE, JobId("k7f2q"), "Delete"),
        ),
        plain="Your stems are here.",
    )


def test_only_formats_that_fit_are_offered(tmp_path: Path) -> None:
    delivery = a_delivery(tmp_path, alternatives=(AudioFormat.FLAC, AudioFormat.WAV))
    labels = [button.label for button in result_card(a_job(State.READY), delivery).buttons]
    assert labels == ["Other recipe", "As FLAC", "As WAV", "To my DM", "Delete"]


def test_in_the_bots_dm_nothing_is_offered_to_the_dm(tmp_path: Path) -> None:
    job = a_job(State.READY, reply=replace(REPLY, context=Context.BOT_DM))
    labels = [button.label for button in result_card(job, a_delivery(tmp_path)).buttons]
    assert labels == ["Other recipe", "Delete"]


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
