"""The card and the form of a batch."""

from dataclasses import replace

import pytest

from bot.domain.errors import Problem, Reason
from bot.domain.job import Job, JobId, State
from bot.domain.recipes import Recipe
from bot.i18n.translation import ENGLISH, Language, active_language
from bot.scheduling.progress import Progress, Stage
from bot.ui.cards.batch_cards import FILES, STEMS, batch_card, batch_form
from bot.ui.cards.card import Tone
from bot.ui.cards.controls import Button
from bot.ui.cards.forms import ChoiceField, FilesField
from bot.ui.components.form_modal import modal_of
from sandbox.modal_rules import check_modal
from tests.support.card_factories import a_job
from tests.support.card_gallery import OFFERS, a_batch
from tests.support.installed_languages import installed

FIRST, SECOND, THIRD = (JobId(f"k7f2{number}") for number in (2, 3, 4))


def songs(*states: State) -> list[Job]:
    ids = (FIRST, SECOND, THIRD)
    return [a_job(state, id=each) for state, each in zip(states, ids, strict=False)]


def test_each_song_has_a_line_with_how_far_it_is() -> None:
    jobs = songs(State.PROCESSING, State.HELD, State.DELIVERED)
    progress = {
        FIRST: Progress(stage=Stage.SEPARATING, fraction=0.52),
        SECOND: Progress(stage=Stage.WAITING, ahead=2),
    }
    card = batch_card(a_batch(title="Neon Rain", jobs=jobs), progress)
    assert card.title == "10 songs · Karaoke"
    assert card.lines[:4] == (
        "1. **Neon Rain** · separating, 52 %",
        "2. **Neon Rain** · in line, 2 ahead",
        "3. **Neon Rain** · done, 3:42",
        "4. **Neon Rain** · waits for its turn",
    )
    assert card.tone is Tone.WORKING


def test_a_song_that_failed_says_why() -> None:
    failed = a_job(State.FAILED, id=FIRST, problem=Problem(Reason.BROKEN_FILE))
    card = batch_card(a_batch(jobs=[failed]), {})
    assert card.lines[0].endswith(
        "This file is damaged or incomplete. Export it again, or send another copy."
    )


def test_it_can_be_cancelled_until_it_ends_or_is_being_cancelled() -> None:
    def buttons(**changes: object) -> list[str]:
        found = batch_card(a_batch(**changes), {}).buttons  # type: ignore[arg-type] # as declared by the test
        return [each.custom_id for each in found if isinstance(each, Button)]

    assert buttons() == ["cancel-all:k7f2q"]
    assert buttons(reason=Reason.STOPPED_BY_USER) == []
    assert buttons(is_final=True) == []


def test_the_menu_has_songs_whose_stems_are_there() -> None:
    jobs = songs(State.DELIVERED, State.FAILED, State.KEPT)
    menu = batch_card(a_batch(jobs=jobs), {}).menu
    assert menu is not None
    assert [choice.value for choice in menu.choices] == ["1", "3", "all"]
    expired = [replace(job, files_expired=True) for job in jobs]
    assert batch_card(a_batch(jobs=expired), {}).menu is None


def test_the_end_says_what_was_charged() -> None:
    jobs = songs(State.DELIVERED, State.FAILED, State.DELIVERED)
    repeat = replace(jobs[2], repeat_of=FIRST, minutes=None)
    card = batch_card(a_batch(jobs=[*jobs[:2], repeat], is_final=True), {})
    assert card.lines[-1] == "4 min charged"
    assert card.tone is Tone.DONE


def test_a_batch_whose_answer_was_refused_says_so() -> None:
    ended = a_batch(is_final=True, reason=Reason.UNACKNOWLEDGED)
    assert batch_card(ended, {}).lines[-1].startswith("Discord didn't accept my answer in time.")


def test_the_form_asks_for_files_and_stems() -> None:
    files, stems = batch_form(OFFERS, Recipe.VOCALS).fields
    assert isinstance(files, FilesField)
    assert isinstance(stems, ChoiceField)
    assert (files.name, files.max_files) == (FILES, 10)
    assert (stems.name, stems.chosen) == (STEMS, Recipe.VOCALS)
    assert len(stems.choices) == len(OFFERS)


def test_a_recipe_that_is_not_offered_is_not_chosen() -> None:
    _, stems = batch_form(OFFERS[:1], OFFERS[1].recipe).fields
    assert isinstance(stems, ChoiceField)
    assert stems.chosen is None


@pytest.mark.parametrize("language", [ENGLISH, *installed()], ids=lambda each: each.code)
async def test_discord_takes_the_form_in_every_language(language: Language) -> None:
    with active_language(language):
        check_modal(modal_of(batch_form(OFFERS, Recipe.KARAOKE)).to_dict())
