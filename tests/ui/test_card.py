from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.errors import Problem, Reason
from bot.domain.job import JobId, State
from bot.domain.stems import AudioFormat
from bot.services.intake import Limits
from bot.services.progress import Progress, Stage
from bot.ui.buttons import CancelButton
from bot.ui.card import (
    Action,
    Button,
    Card,
    Tone,
    card_of,
    help_card,
    jobs_card,
    quota_card,
    result_card,
)
from bot.ui.rendering import COLOURS, embed_of, view_of
from tests.ui.factories import REQUEST, a_job, a_parcel, a_usage

CANCEL = (Button(Action.CANCEL, JobId("k7f2q"), "Cancel"),)


@pytest.mark.parametrize(
    ("state", "lines", "tone", "is_cancellable"),
    [
        (State.RECEIVED, ("Starting",), Tone.WAITING, True),
        (State.HELD, ("In line",), Tone.WAITING, True),
        (State.SUBMITTING, ("Sending the song",), Tone.WORKING, True),
        (State.PROCESSING, ("Separating",), Tone.WORKING, True),
        (State.READY, ("Preparing the stems",), Tone.WORKING, False),
        (State.DELIVERED, ("Done",), Tone.DONE, False),
        (
            State.KEPT,
            ("The stems are made, but Discord did not let me put them here.",),
            Tone.DONE,
            False,
        ),
        (State.FAILED, ("Failed", "Nothing was charged."), Tone.FAILED, False),
        (State.CANCELLED, ("Cancelled", "Nothing was charged."), Tone.QUIET, False),
    ],
)
def test_a_card_shows_its_jobs_state(
    state: State, lines: tuple[str, ...], tone: Tone, is_cancellable: bool
) -> None:
    assert card_of(a_job(state)) == Card(
        title="Neon Rain · Karaoke",
        lines=lines,
        tone=tone,
        footer="k7f2q",
        buttons=CANCEL if is_cancellable else (),
        plain=lines[0] if state is not State.KEPT else "Made, but not sent",
    )


@pytest.mark.parametrize("stage", Stage)
def test_a_card_shows_how_far_its_job_is(stage: Stage) -> None:
    progress = Progress(stage=stage, fraction=0.52, eta_s=18, provider="AudioCleaner")
    card = card_of(a_job(State.PROCESSING), progress)
    assert card.lines[1] == "▰▰▰▰▰▱▱▱▱▱ 52 %, about 20 s left"


def test_separating_names_who_does_it() -> None:
    progress = Progress(stage=Stage.SEPARATING, fraction=0.5, provider="AudioCleaner")
    card = card_of(a_job(State.PROCESSING), progress)
    assert card.lines == ("AudioCleaner is separating", "▰▰▰▰▰▱▱▱▱▱ 50 %")


def test_a_failed_card_says_why_whatever_the_progress_was() -> None:
    job = a_job(State.FAILED, problem=Problem(Reason.NO_AUDIO_TRACK))
    card = card_of(job, Progress(stage=Stage.SEPARATING, fraction=0.5))
    assert card.lines == (
        "There is no sound in this file. Send one that has some.",
        "Nothing was charged.",
    )


def test_the_result_shows_stems_length_format_and_cost(tmp_path: Path) -> None:
    card = result_card(a_job(State.READY), a_parcel(tmp_path))
    assert card == Card(
        title="Neon Rain · Karaoke",
        lines=(
            "Instrumental and vocals, 3:42, MP3",
            "4 min charged, 41 of 60 left today",
        ),
        tone=Tone.DONE,
        footer="k7f2q",
        picture="waveforms.png",
        plain="Your stems are here.",
    )


def test_the_result_says_what_was_sent_instead(tmp_path: Path) -> None:
    request = replace(REQUEST, audio_format=AudioFormat.FLAC)
    parcel = a_parcel(tmp_path, sent="mp3_instead", usage=None, picture=None)
    card = result_card(a_job(State.READY, request=request), parcel)
    assert card.lines == (
        "Instrumental and vocals, 3:42, MP3",
        "As MP3, because FLAC is larger than what Discord takes here.",
        "4 min charged",
    )
    assert card.picture is None


@pytest.mark.parametrize(
    "title",
    ["@everyone " * 200, "<@1> **x**\n# y", "\u202egnp.exe", "*" * 1000, "[a](https://b.invalid)"],
)
def test_hostile_titles_stay_titles(title: str) -> None:
    embed = embed_of(card_of(a_job(title=title)))
    assert embed.title is not None
    assert len(embed.title) <= 256
    assert "\n" not in embed.title
    assert "\u202e" not in embed.title
    assert "@everyone" not in embed.title
    assert "**" not in embed.title.replace("\\*", "")
    listed = embed_of(jobs_card([a_job(title=title)] * 10))
    assert listed.description is not None
    assert len(listed.description) <= 4096


def test_an_embed_is_drawn_from_its_card(tmp_path: Path) -> None:
    embed = embed_of(result_card(a_job(State.READY), a_parcel(tmp_path)))
    drawn = {key: value for key, value in embed.to_dict().items() if value and key != "type"}
    assert drawn == {
        "title": "Neon Rain · Karaoke",
        "description": "Instrumental and vocals, 3:42, MP3\n4 min charged, 41 of 60 left today",
        "color": COLOURS[Tone.DONE],
        "footer": {"text": "k7f2q"},
        "image": {"url": "attachment://waveforms.png"},
    }
    assert set(COLOURS) == set(Tone)


async def test_buttons_outlive_a_restart() -> None:
    view = view_of(card_of(a_job()).buttons)
    assert view is not None
    assert view.is_persistent()
    [button] = view.children
    assert isinstance(button, CancelButton)
    assert button.custom_id == "cancel:k7f2q"
    assert view_of(()) is None


def test_the_list_of_jobs_has_a_line_for_each_and_few_buttons() -> None:
    jobs = [a_job(State.PROCESSING, id=JobId(f"job{n}")) for n in range(9)]
    card = jobs_card([*jobs, a_job(State.FAILED)])
    assert card.lines[0] == "`job0` **Neon Rain** · Karaoke: Separating"
    assert card.lines[9] == "`k7f2q` **Neon Rain** · Karaoke: Failed"
    assert [button.label for button in card.buttons] == [f"Cancel job{n}" for n in range(5)]
    assert jobs_card([]).lines == ("You have no songs here yet. Start one with `/split`.",)


def test_quota_and_help_are_cards_too() -> None:
    assert quota_card(a_usage()).lines[0] == "**41 of 60 min left** today"
    limits = Limits(max_file_mib=100, max_duration_minutes=20)
    assert "up to 20 min and 100 MiB" in "\n".join(help_card([], limits).lines)
