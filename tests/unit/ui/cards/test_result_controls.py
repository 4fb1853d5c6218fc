"""The buttons and the menu below a result."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.job import Context, Job, State
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.domain.renditions import Rendition, RenditionOutput
from bot.ui.cards.controls import Action, Button, LinkButton
from bot.ui.cards.result_controls import (
    Place,
    more_menu,
    next_steps,
    render_button,
    result_buttons,
    zip_button,
)
from tests.support.card_factories import REPLY, REQUEST, a_delivery, a_job

LOWER = Rendition(cents=-200, speed_percent=90)


def offered(
    job: Job, folder: Path, *formats: AudioFormat, place: Place = Place.ELSEWHERE
) -> list[str]:
    menu = more_menu(job, a_delivery(folder, alternatives=formats), place)
    return [choice.label for choice in menu.choices]


def test_only_formats_that_fit_are_offered(tmp_path: Path) -> None:
    assert offered(a_job(State.READY), tmp_path, AudioFormat.FLAC, AudioFormat.WAV) == [
        "As FLAC",
        "As WAV",
        "Zip: all files in one",
        "To my DM",
        "Other recipe",
    ]


def test_in_the_bots_dm_nothing_is_offered_to_the_dm(tmp_path: Path) -> None:
    job = a_job(State.READY, reply=replace(REPLY, context=Context.BOT_DM))
    assert offered(job, tmp_path, place=Place.DM) == ["Zip: all files in one", "Other recipe"]


@pytest.mark.parametrize(
    "job",
    [
        a_job(request=replace(REQUEST, recipe=Recipe.VOCALS)),
        a_job().asked_as(rendition=Rendition(output=RenditionOutput.MIX)),
        a_job().asked_as(rendition=Rendition(levels=((Stem.VOCALS, 25),))),
    ],
    ids=["one stem", "the song", "a mix"],
)
def test_one_file_is_not_offered_as_a_zip(tmp_path: Path, job: Job) -> None:
    assert offered(job, tmp_path) == ["To my DM", "Other recipe"]


def test_stems_that_are_not_the_whole_song_cannot_be_mixed(tmp_path: Path) -> None:
    job = a_job(State.READY, request=replace(REQUEST, recipe=Recipe.DRUMS))
    labels = [button.label for button in result_buttons(job, a_delivery(tmp_path))]
    assert labels == ["Key & speed", "Delete"]
    assert "Mix" not in [button.label for button in next_steps(job)]


def test_a_listen_button_leads_to_the_mixer(tmp_path: Path) -> None:
    delivery = a_delivery(tmp_path, mixer_url="https://stems.example.org/m/x/")
    buttons = result_buttons(a_job(State.READY), delivery)
    assert LinkButton("https://stems.example.org/m/x/", "Listen") in buttons


def test_next_steps_start_from_what_is_shown() -> None:
    assert next_steps(a_job(State.DELIVERED).asked_as(rendition=LOWER)) == (
        Button(Action.RENDER, "k7f2q:k-3.s90:mp3", "Key −1"),
        Button(Action.RENDER, "k7f2q:k-1.s90:mp3", "Key +1"),
        Button(Action.RENDER, "k7f2q:k-2.s80:mp3", "Slower"),
        Button(Action.KEY_AND_SPEED, "k7f2q:k-2.s90", "Key & speed"),
        Button(Action.MIX, "k7f2q:k-2.s90", "Mix"),
    )


def test_no_step_leads_beyond_the_limits() -> None:
    lowest = a_job(State.DELIVERED).asked_as(rendition=Rendition(cents=-1200, speed_percent=50))
    assert [button.label for button in next_steps(lowest)] == ["Key +1", "Key & speed", "Mix"]


def test_buttons_of_interrupted_replies_name_all_that_they_make() -> None:
    job = a_job(State.DELIVERED).asked_as(rendition=LOWER, audio_format=AudioFormat.FLAC)
    assert render_button(job, LOWER, "Ask again").custom_id == "r:k7f2q:k-2.s90:flac"
    assert zip_button(job, "Ask again").custom_id == "zip:k7f2q:k-2.s90:flac"
