from fractions import Fraction

import pytest
from av.audio.frame import AudioFrame

from bot.audio.child.decoding.stamps import Stamps

FRAME_S = 0.02


def holes(*at_s: float, is_believed: bool = True) -> list[float]:
    """Return the gaps before frames of 20 ms at these times."""
    stamps = Stamps(start_s=0.0, is_believed=is_believed)
    return [round(stamps.hole_before(frame(each)), 3) for each in at_s]


def frame(at_s: float) -> AudioFrame:
    made = AudioFrame(format="flt", layout="stereo", samples=960)
    made.sample_rate, made.time_base, made.pts = 48_000, Fraction(1, 1000), round(1000 * at_s)
    return made


def test_frames_in_a_row_have_no_holes() -> None:
    assert holes(0.0, 0.02, 0.04, 0.06) == [0, 0, 0, 0]


def test_a_hole_is_as_long_as_the_stamps_say() -> None:
    assert holes(0.0, 1.02, 1.04) == [0, 1.0, 0]
    assert holes(1.5, 1.52) == [1.5, 0]


def test_jitter_is_no_hole() -> None:
    assert holes(0.0, 0.023, 0.04, 0.063, 0.08) == [0] * 5


def test_a_clock_that_runs_slow_never_makes_a_hole() -> None:
    assert not any(holes(*(number * 0.021 for number in range(10_000))))


def test_what_comes_early_makes_up_for_what_came_late() -> None:
    assert holes(0.0, 0.0, 0.02, 0.1) == [0, 0, 0, 0.04]
    assert sum(holes(0.0, 0.05, 0.04, 0.06, 0.11, 0.1, 0.12)) == pytest.approx(0.03)


@pytest.mark.parametrize("at_s", [-3.0, 3600.0, 26.5 * 3600])
def test_a_clock_that_was_set_makes_no_hole(at_s: float) -> None:
    assert holes(0.0, at_s, at_s + FRAME_S) == [0, 0, 0]


def test_stamps_that_are_guessed_are_not_followed() -> None:
    assert holes(0.0, 5.0, is_believed=False) == [0, 0]
