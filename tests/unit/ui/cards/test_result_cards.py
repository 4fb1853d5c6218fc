from dataclasses import replace
from pathlib import Path

from bot.domain.analysis import Analysis, Certainty, Key, KeyEstimate, TempoEstimate
from bot.domain.job import Context, JobId, State
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.domain.renditions import Rendition
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Action, Button, Choice, LinkButton, Menu, MenuAction
from bot.ui.cards.result_cards import rendition_card, result_card
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
                Choice("dm", "To my DM"),
                Choice("recipe", "Other recipe"),
            ),
        ),
        plain="Your stems are here.",
    )


def offered(card: Card) -> list[str]:
    assert card.menu is not None
    return [choice.label for choice in card.menu.choices]


def test_only_formats_that_fit_are_offered(tmp_path: Path) -> None:
    delivery = a_delivery(tmp_path, alternatives=(AudioFormat.FLAC, AudioFormat.WAV))
    card = result_card(a_job(State.READY), delivery)
    assert offered(card) == [
        "As FLAC",
        "As WAV",
        "Zip: all files in one",
        "To my DM",
        "Other recipe",
    ]


def test_in_the_bots_dm_nothing_is_offered_to_the_dm(tmp_path: Path) -> None:
    job = a_job(State.READY, reply=replace(REPLY, context=Context.BOT_DM))
    assert offered(result_card(job, a_delivery(tmp_path))) == [
        "Zip: all files in one",
        "Other recipe",
    ]


def test_stems_that_are_not_the_whole_song_cannot_be_mixed(tmp_path: Path) -> None:
    job = a_job(State.READY, request=replace(REQUEST, recipe=Recipe.DRUMS))
    labels = [button.label for button in result_card(job, a_delivery(tmp_path)).buttons]
    assert labels == ["Key & speed", "Delete"]


def test_a_listen_button_leads_to_the_mixer(tmp_path: Path) -> None:
    delivery = a_delivery(tmp_path, mixer_url="https://stems.example.org/m/x/")
    buttons = result_card(a_job(State.READY), delivery).buttons
    assert LinkButton("https://stems.example.org/m/x/", "Listen") in buttons


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
    card = rendition_card(lower, a_delivery(tmp_path), is_dm=False)
    assert card.lines[:3] == (
        "Instrumental and vocals, 4:07, MP3",
        "Key −2: G minor, Speed 90 %",
        "G minor, likely · 86 BPM",
    )
    assert [button.label for button in card.buttons] == [
        "−1",
        "+1",
        "Slower",
        "Key & speed",
        "Mix",
    ]


def test_no_step_leads_beyond_the_limits(tmp_path: Path) -> None:
    job = a_job(State.DELIVERED)
    lowest = job.asked_as(rendition=Rendition(cents=-1200, speed_percent=50))
    card = rendition_card(lowest, a_delivery(tmp_path), is_dm=False)
    assert [button.label for button in card.buttons] == ["+1", "Key & speed", "Mix"]


def test_a_mix_is_described_by_its_levels(tmp_path: Path) -> None:
    job = a_job(State.DELIVERED)
    quieter = job.asked_as(rendition=Rendition(levels=((Stem.VOCALS, 25),)))
    card = rendition_card(quieter, a_delivery(tmp_path), is_dm=False)
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
