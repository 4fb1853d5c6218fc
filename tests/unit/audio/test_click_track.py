import pytest

from bot.audio.click_track import beat_frames, click_track
from bot.audio.spool import SAMPLE_RATE
from bot.domain.analysis import BeatGrid
from bot.domain.renditions import Click, ClickGrid


def grid(**changes):
    """17 beats at 120 BPM, of which the second begins a bar."""
    values = {
        "first_beat_s": 0.25,
        "period_s": 0.5,
        "beats": 17,
        "beats_per_bar": 4,
        "downbeat": 1,
        "is_steady": True,
    }
    return BeatGrid(**{**values, **changes})


def seconds(frames):
    return [round(frame / SAMPLE_RATE, 3) for frame in frames]


def test_a_count_in_ends_at_the_first_bar_line_and_silence_makes_room_for_it():
    track = click_track(grid(), Click(count_in_bars=1))
    assert track.padding_frames == round(1.25 * SAMPLE_RATE)  # two seconds before 0.75 s
    assert seconds(track.bars) == [0.0]
    assert seconds(track.beats) == [0.5, 1.0, 1.5]  # and the bar begins at 0.75 s + 1.25 s


def test_a_song_that_begins_late_needs_no_silence():
    track = click_track(grid(first_beat_s=5.0), Click(count_in_bars=1))
    assert track.padding_frames == 0
    assert seconds(track.bars) == [3.5]


def test_a_slower_rendition_has_slower_clicks_later():
    track = click_track(grid(), Click(count_in_bars=2), speed_percent=50)
    assert track.padding_frames == round((8 - 1.5) * SAMPLE_RATE)
    assert seconds(track.bars) == [0.0, 4.0]
    assert seconds(track.beats) == [1.0, 2.0, 3.0, 5.0, 6.0, 7.0]


def test_clicks_along_lie_on_every_beat_the_upbeat_included():
    track = click_track(grid(beats=7), Click(is_throughout=True))
    assert track.padding_frames == 0
    assert seconds(track.bars) == [0.75, 2.75]
    assert seconds(track.beats) == [0.25, 1.25, 1.75, 2.25, 3.25]


def test_after_a_count_in_clicks_along_begin_with_the_bar():
    track = click_track(grid(beats=4), Click(count_in_bars=1, is_throughout=True))
    assert seconds(track.bars) == [0.0, 2.0]
    assert seconds(track.beats) == [0.5, 1.0, 1.5, 2.5, 3.0]


def test_clicks_follow_the_deviations_of_the_beats_between_those_that_are_known():
    track = click_track(
        grid(downbeat=0, deviations_ms=(0, 80), beats=10), Click(is_throughout=True)
    )
    assert seconds(track.bars) == [0.25, 2.29, 4.33]
    assert seconds(track.beats)[0] == 0.76
    assert seconds(track.beats)[-1] == 4.83  # beyond the last known one


@pytest.mark.parametrize(
    ("click_grid", "bars", "beats"),
    [
        (ClickGrid.HALF, [0.75, 4.75], [1.75, 2.75, 3.75, 5.75, 6.75, 7.75]),
        (ClickGrid.DOUBLE, [0.75, 1.75], [0.25, 0.5, 1.0, 1.25, 1.5, 2.0, 2.25]),
    ],
)
def test_half_and_double_grids_have_as_many_clicks_a_bar(click_grid, bars, beats):
    beats_of_the_song = 17 if click_grid is ClickGrid.HALF else 5
    track = click_track(grid(beats=beats_of_the_song), Click(is_throughout=True, grid=click_grid))
    assert seconds(track.bars) == bars
    assert seconds(track.beats) == beats


def test_a_count_in_at_half_tempo_lasts_twice_as_long():
    track = click_track(grid(), Click(count_in_bars=1, grid=ClickGrid.HALF))
    assert seconds((*track.bars, *track.beats)) == [0.0, 1.0, 2.0, 3.0]
    assert track.padding_frames == round(3.25 * SAMPLE_RATE)


def test_unsteady_beats_get_no_clicks():
    with pytest.raises(ValueError, match="unsteady"):
        click_track(grid(is_steady=False), Click(is_throughout=True))


def test_beats_of_a_song_follow_its_deviations():
    found = beat_frames(grid(beats=9, deviations_ms=(0, 80)))
    assert len(found) == 9
    assert seconds(found)[:2] == [0.25, 0.76]
    assert seconds(found)[-1] == 4.33
