import pytest

from bot.domain.minutes import SAMPLE_RATE
from bot.ui.texts.figures import about, bar, length, listed


def test_lengths_are_read_as_a_clock() -> None:
    assert length(222 * SAMPLE_RATE) == "3:42"
    assert length(5 * SAMPLE_RATE) == "0:05"
    assert length(3723 * SAMPLE_RATE) == "1:02:03"
    assert length(int(59.7 * SAMPLE_RATE)) == "1:00"


@pytest.mark.parametrize(
    ("wait_s", "words"),
    [
        (0, "a few seconds"),
        (7.9, "a few seconds"),
        (8, "about 10 s"),
        (41, "about 45 s"),
        (90, "about 2 min"),
        (600, "about 10 min"),
    ],
)
def test_waits_are_as_coarse_as_they_can_be_foreseen(wait_s: float, words: str) -> None:
    assert about(wait_s) == words


@pytest.mark.parametrize(
    ("fraction", "drawn"),
    [
        (0.0, "▱▱▱▱▱▱▱▱▱▱ 0 %"),
        (0.52, "▰▰▰▰▰▱▱▱▱▱ 52 %"),
        (0.999, "▰▰▰▰▰▰▰▰▰▱ 99 %"),
        (1.0, "▰▰▰▰▰▰▰▰▰▰ 100 %"),
        (-3.0, "▱▱▱▱▱▱▱▱▱▱ 0 %"),
        (7.0, "▰▰▰▰▰▰▰▰▰▰ 100 %"),
    ],
)
def test_a_bar_is_full_only_at_the_end(fraction: float, drawn: str) -> None:
    assert bar(fraction) == drawn


def test_words_are_joined_as_in_a_sentence() -> None:
    assert listed(["vocals"]) == "vocals"
    assert listed(["vocals", "drums"]) == "vocals and drums"
    assert listed(["vocals", "drums", "bass"]) == "vocals, drums and bass"
