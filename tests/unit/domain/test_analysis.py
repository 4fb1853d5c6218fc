"""Analyses survive JSON, and predict the key and tempo of renditions."""

import pytest

from bot.domain.analysis import (
    Analysis,
    BeatGrid,
    Certainty,
    Key,
    KeyEstimate,
    TempoEstimate,
)

A_MINOR, C_MAJOR = Key(tonic=9, is_minor=True), Key(tonic=0, is_minor=False)
HEARD = Analysis(
    key=KeyEstimate(key=A_MINOR, certainty=Certainty.LIKELY, relative=C_MAJOR),
    tempo=TempoEstimate(bpm=96.0, octave_bpm=192.0),
    tuning_cents=-12,
    grid=BeatGrid(
        first_beat_s=0.4,
        period_s=0.625,
        beats=380,
        beats_per_bar=4,
        downbeat=2,
        deviations_ms=(0, 3, -2),
        is_steady=True,
    ),
)


@pytest.mark.parametrize("analysis", [HEARD, Analysis()])
def test_json_gives_the_same_analysis_back(analysis: Analysis) -> None:
    assert Analysis.from_json(analysis.to_json()) == analysis


def test_an_empty_object_is_an_analysis_that_heard_nothing() -> None:
    assert Analysis.from_json("{}") == Analysis()


@pytest.mark.parametrize("text", ["", "[]", '{"key":{"key":{}}}', '{"tempo":{"x":1}}', "7"])
def test_json_from_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        Analysis.from_json(text)


def test_a_rendition_moves_key_tempo_and_tuning() -> None:
    lower = HEARD.rendered(cents=-200, speed_percent=90)
    assert lower.key is not None
    assert lower.key.relative is not None
    assert lower.tempo is not None
    assert (lower.key.key.tag, lower.key.relative.tag) == ("Gm", "Bb")
    assert (lower.tempo.bpm, lower.tempo.octave_bpm) == pytest.approx((86.4, 172.8))
    assert (lower.tuning_cents, lower.grid) == (-12, None)


def test_a_rendition_by_less_than_a_semitone_moves_the_tuning() -> None:
    tuned = HEARD.rendered(cents=12, speed_percent=100)
    assert tuned.key is not None
    assert (tuned.key.key, tuned.tuning_cents) == (A_MINOR, 0)


@pytest.mark.parametrize(
    ("tonic", "is_minor", "tag"), [(10, False, "Bb"), (6, True, "F#m"), (3, True, "Ebm")]
)
def test_tags_are_spelled_as_usual(tonic: int, is_minor: bool, tag: str) -> None:
    assert Key(tonic=tonic, is_minor=is_minor).tag == tag
