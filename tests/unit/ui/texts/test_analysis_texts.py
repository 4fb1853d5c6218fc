import pytest

from bot.domain.analysis import (
    PITCH_CLASSES,
    Analysis,
    Certainty,
    Key,
    KeyEstimate,
    TempoEstimate,
)
from bot.domain.recipes import Stem
from bot.i18n.translation import active_language
from bot.ui.texts.analysis_texts import analysis_line, key_name, stem_description
from tests.support.installed_languages import installed

LANGUAGES = installed()
A_MINOR = Key(tonic=9, is_minor=True)
C_MAJOR = Key(tonic=0, is_minor=False)
LIKELY = KeyEstimate(key=A_MINOR, certainty=Certainty.LIKELY)
PERHAPS = KeyEstimate(key=A_MINOR, certainty=Certainty.PERHAPS)
EITHER = KeyEstimate(key=A_MINOR, certainty=Certainty.PERHAPS, relative=C_MAJOR)
TEMPO = TempoEstimate(bpm=96.2)
TEMPOS = TempoEstimate(bpm=95.8, octave_bpm=191.6)


@pytest.mark.parametrize(
    ("analysis", "line"),
    [
        (
            Analysis(key=LIKELY, tempo=TEMPO, tuning_cents=-40),
            "A minor, likely · 96 BPM · 40 cents flat",
        ),
        (Analysis(key=PERHAPS, tuning_cents=36), "A minor, perhaps · 36 cents sharp"),
        (Analysis(key=EITHER, tempo=TEMPOS), "A minor or C major · 96 BPM (or 192)"),
        (Analysis(tempo=TEMPO), "96 BPM"),
        (Analysis(), ""),
    ],
)
def test_a_line_says_what_was_heard_and_how_sure_it_is(analysis, line):
    assert analysis_line(analysis) == line


@pytest.mark.parametrize("cents", [None, 0, -12, 35, -35])
def test_a_tuning_that_leaves_the_key_clear_is_not_named(cents):
    assert analysis_line(Analysis(key=LIKELY, tuning_cents=cents)) == "A minor, likely"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("es", "La menor, probable · 96 BPM (o 192) · 40 cents más grave"),
        ("pt-BR", "Lá menor, provável · 96 BPM (ou 192) · 40 cents mais grave"),
        ("ja", "イ短調（おそらく） · 96 BPM（または192） · 40セント低い"),
    ],
)
def test_each_language_has_its_own_names_of_keys(code, line):
    with active_language(LANGUAGES.of(code)):
        assert analysis_line(Analysis(key=LIKELY, tempo=TEMPOS, tuning_cents=-40)) == line


@pytest.mark.parametrize(
    ("key", "names"),
    [
        (
            Key(tonic=6, is_minor=True),
            ("F♯ minor", "Fa sostenido menor", "Fá sustenido menor", "嬰ヘ短調"),
        ),
        (
            Key(tonic=10, is_minor=False),
            ("B♭ major", "Si bemol mayor", "Si bemol maior", "変ロ長調"),
        ),
        (Key(tonic=11, is_minor=True), ("B minor", "Si menor", "Si menor", "ロ短調")),
        (Key(tonic=2, is_minor=False), ("D major", "Re mayor", "Ré maior", "ニ長調")),
    ],
)
def test_sharps_and_flats_are_written_as_each_language_does(key, names):
    for code, name in zip(("en", "es", "pt-BR", "ja"), names, strict=True):
        with active_language(LANGUAGES.of(code)):
            assert key_name(key) == name


@pytest.mark.parametrize("code", ["en", "es", "pt-BR", "ja"])
def test_no_two_keys_have_one_name(code):
    keys = [Key(tonic=n, is_minor=mode) for n in range(PITCH_CLASSES) for mode in (False, True)]
    with active_language(LANGUAGES.of(code)):
        assert len({key_name(key) for key in keys}) == len(keys)


def test_an_english_name_is_the_key_s_own_spelling():
    for tonic in range(PITCH_CLASSES):
        for is_minor in (False, True):
            key = Key(tonic=tonic, is_minor=is_minor)
            spelled = key.tonic_name.replace("b", "♭").replace("#", "♯")
            assert key_name(key) == f"{spelled} {'minor' if is_minor else 'major'}"


@pytest.mark.parametrize(
    ("analysis", "description"),
    [
        (Analysis(key=LIKELY, tempo=TEMPO, tuning_cents=-40), "Instrumental, A minor, 96 BPM"),
        (Analysis(key=PERHAPS, tempo=TEMPOS), "Instrumental, A minor, perhaps, 96 BPM (or 192)"),
        (Analysis(key=EITHER), "Instrumental, A minor or C major"),
        (Analysis(), "Instrumental"),
    ],
)
def test_a_file_is_described_by_stem_key_and_tempo(analysis, description):
    assert stem_description(Stem.INSTRUMENTAL, analysis) == description
