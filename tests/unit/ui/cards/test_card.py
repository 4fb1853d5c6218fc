from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.errors import Problem, Reason
from bot.domain.job import Context, DeliveryDifference, JobId, State
from bot.domain.recipes import AudioFormat
from bot.i18n.translation import gettext
from bot.jobs.intake import Limits
from bot.scheduling.progress import Progress, Stage
from bot.ui.cards.card import (
    Card,
    Tone,
    card_of,
    help_card,
    jobs_card,
    quota_card,
    result_card,
)
from bot.ui.cards.controls import Action, Button
from bot.ui.components.buttons import BUTTONS, JobButton
from bot.ui.components.rendering import COLOURS, embed_of, view_of
from bot.ui.texts import messages
from tests.support.card_factories import REPLY, REQUEST, a_job, a_parcel, a_usage

SHOW = (Button(Action.SHOW, JobId("k7f2q"), "Show the stems"),)
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
            (gettext(messages.KEPT),),
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
        buttons=CANCEL if is_cancellable else SHOW if state is State.KEPT else (),
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
        buttons=(
            Button(Action.OTHER_RECIPE, JobId("k7f2q"), "Other recipe"),
            Button(Action.TO_DM, JobId("k7f2q"), "To my DM"),
            Button(Action.DELETE, JobId("k7f2q"), "Delete"),
        ),
        plain="Your stems are here.",
    )


def test_the_result_of_a_file_that_breaks_off_says_where(tmp_path: Path) -> None:
    card = result_card(a_job(State.READY, ends_early=True), a_parcel(tmp_path))
    assert card.lines[:2] == (
        "Instrumental and vocals, 3:42, MP3",
        "Your file breaks off at 3:42, so the stems end there, too.",
    )


def test_only_formats_that_fit_are_offered(tmp_path: Path) -> None:
    parcel = a_parcel(tmp_path, alternatives=(AudioFormat.FLAC, AudioFormat.WAV))
    labels = [button.label for button in result_card(a_job(State.READY), parcel).buttons]
    assert labels == ["Other recipe", "As FLAC", "As WAV", "To my DM", "Delete"]


def test_in_the_bots_dm_nothing_is_offered_to_the_dm(tmp_path: Path) -> None:
    job = a_job(State.READY, reply=replace(REPLY, context=Context.BOT_DM))
    labels = [button.label for button in result_card(job, a_parcel(tmp_path)).buttons]
    assert labels == ["Other recipe", "Delete"]


def test_stems_that_were_made_before_are_said_to_be_free(tmp_path: Path) -> None:
    job = a_job(State.READY, minutes=None, repeat_of=JobId("m3x9p"))
    assert result_card(job, a_parcel(tmp_path)).lines[1:] == (
        "You had these stems already, so nothing was charged.",
    )


def test_near_the_end_of_its_reach_a_card_says_how_the_stems_will_be_had() -> None:
    card = card_of(a_job(State.PROCESSING), is_closing=True)
    assert card.lines == (
        "Separating",
        "",
        gettext(messages.CLOSING, job_id="k7f2q"),
    )
    assert card_of(a_job(State.FAILED), is_closing=True).lines == card_of(a_job(State.FAILED)).lines


@pytest.mark.parametrize(
    ("reason", "can_try"),
    [(Reason.PROVIDERS_FAILED, True), (Reason.NO_AUDIO_TRACK, False), (Reason.TOO_LONG, False)],
)
def test_only_what_may_pass_can_be_tried_again(reason: Reason, can_try: bool) -> None:
    card = card_of(a_job(State.FAILED, problem=Problem(reason)))
    assert [button.label for button in card.buttons] == ["Try again"] * can_try


def test_who_takes_over_from_whom_is_said() -> None:
    progress = Progress(stage=Stage.SENDING, provider="FineVoice", former="AudioCleaner")
    assert card_of(a_job(State.SUBMITTING), progress).lines == (
        "AudioCleaner cannot do it just now, so FineVoice takes over",
    )
    progress = replace(progress, stage=Stage.SEPARATING)
    assert card_of(a_job(State.PROCESSING), progress).lines == (
        "FineVoice took over from AudioCleaner and is separating",
    )


def test_what_is_made_can_be_shown_again_from_the_list_of_jobs() -> None:
    made = a_job(State.DELIVERED)
    gone = a_job(State.DELIVERED, id=JobId("gone2"), files_expired=True)
    menu = jobs_card([made, gone]).menu
    assert menu is not None
    assert [(each.value, each.label, each.detail) for each in menu.choices] == [
        ("k7f2q", "Neon Rain", "Karaoke · k7f2q")
    ]
    assert jobs_card([gone]).menu is None


def test_the_result_says_what_was_sent_instead(tmp_path: Path) -> None:
    request = replace(REQUEST, audio_format=AudioFormat.FLAC)
    parcel = a_parcel(tmp_path, sent=DeliveryDifference.MP3_INSTEAD, usage=None, picture=None)
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
    for action in Action:
        view = view_of([Button(action, JobId("k7f2q"), "Press me")])
        assert view is not None
        assert view.is_persistent()
        [button] = view.children
        assert isinstance(button, BUTTONS[action])
        assert button.custom_id == f"{action}:k7f2q"
        assert [kind for kind in BUTTONS.values() if _answers(kind, button.custom_id)] == [
            BUTTONS[action]
        ]
    assert view_of(()) is None


def _answers(kind: type[JobButton], custom_id: str) -> bool:
    return kind.__discord_ui_compiled_template__.fullmatch(custom_id) is not None


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


def test_stems_that_nobody_wants_any_more_are_not_offered() -> None:
    stopped = a_job(State.KEPT, problem=Problem(Reason.STOPPED_BY_USER))
    card = card_of(stopped)
    assert card.lines == ("You stopped this one.",)
    assert card.buttons == ()


@pytest.mark.parametrize("stage", [Stage.DOWNLOADING, Stage.CHECKING])
def test_a_job_in_line_is_not_said_to_be_read_any_more(stage: Stage) -> None:
    progress = Progress(stage=stage)
    assert card_of(a_job(State.HELD), progress).lines == ("In line",)
    assert card_of(a_job(State.RECEIVED), progress).lines != ("Starting",)
