from dataclasses import replace

import pytest

from bot.domain.errors import Problem, Reason
from bot.domain.job import JobId, State
from bot.i18n.translation import gettext
from bot.scheduling.progress import Progress, Stage
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Action, Button
from bot.ui.cards.job_cards import card_of, jobs_card
from bot.ui.components.rendering import embed_of
from bot.ui.texts import messages
from tests.support.card_factories import a_job

SHOW = (Button(Action.SHOW, "k7f2q", "Show the stems"),)
CANCEL = (Button(Action.CANCEL, "k7f2q", "Cancel"),)


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
        "There is no sound in this file. Send one with sound.",
        "Nothing was charged.",
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
        "AudioCleaner can't do it right now, so FineVoice is taking over",
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


def test_the_list_of_jobs_has_a_line_for_each_and_few_buttons() -> None:
    jobs = [a_job(State.PROCESSING, id=JobId(f"job{n}")) for n in range(9)]
    card = jobs_card([*jobs, a_job(State.FAILED)])
    assert card.lines[0] == "`job0` **Neon Rain** · Karaoke: Separating"
    assert card.lines[9] == "`k7f2q` **Neon Rain** · Karaoke: Failed"
    assert [button.label for button in card.buttons] == [f"Cancel job{n}" for n in range(5)]
    assert jobs_card([]).lines == ("You have no songs here yet. Start one with `/split`.",)


def test_stems_that_nobody_wants_any_more_are_not_offered() -> None:
    stopped = a_job(State.KEPT, problem=Problem(Reason.STOPPED_BY_USER))
    card = card_of(stopped)
    assert card.lines == ("You cancelled this song.",)
    assert card.buttons == ()


@pytest.mark.parametrize("stage", [Stage.DOWNLOADING, Stage.CHECKING])
def test_a_job_in_line_is_not_said_to_be_read_any_more(stage: Stage) -> None:
    progress = Progress(stage=stage)
    assert card_of(a_job(State.HELD), progress).lines == ("In line",)
    assert card_of(a_job(State.RECEIVED), progress).lines != ("Starting",)
