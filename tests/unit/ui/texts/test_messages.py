import re

import pytest

from bot.domain.errors import Problem, Reason
from bot.domain.job import State
from bot.domain.periods import PeriodKind, period_at
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.i18n.translation import Message
from bot.scheduling.progress import Progress, Stage
from bot.ui.texts import messages, usage_texts
from bot.ui.texts.names import FORMATS, RECIPES, recipe_label, stems_line
from tests.support.card_factories import NOW, a_job, a_usage


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_even_without_figures(reason: Reason) -> None:
    sentence = messages.problem(Problem(reason))
    assert sentence.endswith(".")
    assert "{" not in sentence
    assert reason.value not in sentence or " " not in reason.value.replace("_", " ")


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_words_with_and_without_a_provider(stage: Stage) -> None:
    assert "{" not in messages.stage(Progress(stage=stage))
    assert "{" not in messages.stage(Progress(stage=stage, provider="AudioCleaner", ahead=2))


def test_tables_hold_every_state_recipe_and_format() -> None:
    assert set(messages.STATES) == set(State)
    assert set(RECIPES) == set(Recipe)
    assert set(FORMATS) == set(AudioFormat)
    assert set(messages.REASONS) == set(Reason)
    assert set(messages.STAGES) == set(Stage)


def test_figures_stand_in_their_sentences() -> None:
    too_many = Problem(Reason.TOO_MANY_JOBS, {"limit": 1})
    assert "1 song in progress" in messages.problem(too_many)
    too_many = Problem(Reason.TOO_MANY_JOBS, {"limit": 3})
    assert "3 songs in progress" in messages.problem(too_many)
    assert "larger than 100 MiB" in messages.problem(Problem(Reason.TOO_BIG, {"limit_mib": 100}))


def test_a_cap_on_spend_names_no_span_since_a_user_s_may_be_a_week() -> None:
    sentence = messages.problem(Problem(Reason.SPEND_CAP))
    assert not re.search("today|tomorrow|day|week|month", sentence)


def test_used_up_minutes_are_not_told_as_a_need_that_nobody_knows_yet() -> None:
    facts = {"needed": 1, "left": 0, "allowance": 60, "resets_at": 1700000000}
    assert messages.problem(Problem(Reason.QUOTA, facts)) == (
        "Your 60 min are used or on hold. You get more <t:1700000000:R>."
    )
    facts = {"needed": 5, "left": 2, "allowance": 60, "resets_at": 1700000000}
    assert messages.problem(Problem(Reason.QUOTA, facts)) == (
        "This song needs 5 min. You have 2 left, and get more <t:1700000000:R>."
    )


def test_minutes_of_a_server_are_told_beside_ones_own() -> None:
    facts = {"needed": 5, "left": 0, "allowance": 60, "resets_at": 1700000000, "shared": 3}
    assert messages.problem(Problem(Reason.QUOTA, facts)) == (
        "This song needs 5 min. "
        "You have 0 left, or 3 in this server, and get more <t:1700000000:R>."
    )
    usage = a_usage(allowance=0, granted=10, used=4, held=2, guild_id=7)
    assert usage_texts.charge(4, usage) == "4 min from this server charged, 4 of 10 left today"
    first, second = usage_texts.shared_lines(usage)
    assert first == "**4 of 10 min from this server left** today"
    assert second.startswith(
        "4 used, 2 on hold. Songs here use these first. Unused ones expire <t:"
    )


def test_a_wrong_channel_is_answered_with_a_right_one() -> None:
    found = Problem(Reason.WRONG_CHANNEL, {"channel_id": 50})
    assert messages.problem(found) == "I can't split songs in this channel. Use <#50>."


def test_a_recipe_nobody_makes_is_called_by_its_label() -> None:
    facts: dict[str, int | str] = {"recipe": "4-stems", "provider": ""}
    assert messages.problem(Problem(Reason.NO_PROVIDER, facts)).startswith("“4 stems” can't")
    facts["provider"] = "FineVoice"
    assert messages.problem(Problem(Reason.NO_PROVIDER, facts)).startswith("FineVoice can't")


def test_what_a_user_typed_is_made_harmless_in_the_answer() -> None:
    found = Problem(Reason.UNKNOWN_PROVIDER, {"provider": "@everyone **x**"})
    assert "@\u200beveryone \\*\\*x\\*\\*" in messages.problem(found)


def test_waiting_tells_what_is_known() -> None:
    def line(**known: float) -> str:
        return messages.stage(Progress(stage=Stage.WAITING, **known))  # type: ignore[arg-type] # as in the call

    assert line(ahead=2, eta_s=38) == "In line: 2 ahead, about 40 s"
    assert line(ahead=2) == "In line: 2 ahead"
    assert line(ahead=0, eta_s=38) == "Next in line, about 40 s"
    assert line() == "Next in line"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (PeriodKind.DAY, "today"),
        (PeriodKind.WEEK, "this week"),
        (PeriodKind.MONTH, "this month"),
    ],
)
def test_minutes_are_told_for_their_period(kind: PeriodKind, words: str) -> None:
    usage = a_usage(period=period_at(NOW, kind), granted=10, held=4)
    assert usage_texts.charge(4, usage) == f"4 min charged, 47 of 70 left {words}"
    first, second = usage_texts.usage_lines(usage)
    assert first == f"**47 of 70 min left** {words}"
    assert second.startswith("19 used, 4 on hold. All minutes come back <t:")


def test_cancelling_says_what_came_of_it() -> None:
    assert "is cancelled. Nothing was charged." in messages.cancelled(a_job(State.CANCELLED))
    assert "about to arrive" in messages.cancelled(a_job(State.READY))
    assert "already ended" in messages.cancelled(a_job(State.FAILED))


def test_no_sentence_names_what_only_programmers_know() -> None:
    table = [*messages.REASONS.values(), *messages.STAGES.values(), messages.STATES.values()]
    texts = " ".join(
        text.english if isinstance(text, Message) else f"{text.one} {text.many}"
        for each in table
        for text in each
    )
    assert not re.search(r"exception|traceback|HTTP|status|error|\b\d{3}\b", texts, re.IGNORECASE)


def test_recipes_are_offered_in_the_users_words() -> None:
    assert recipe_label(Recipe.KARAOKE) == "Karaoke: instrumental and vocals"
    assert recipe_label(Recipe.FOUR_STEMS, is_basic=True) == (
        "4 stems: vocals, drums, bass and other (basic)"
    )
    assert stems_line([Stem.LEAD_VOCALS, Stem.NO_DRUMS]) == "Lead vocals and no drums"
