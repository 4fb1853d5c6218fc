"""File names and titles made from untrusted input."""

from pathlib import Path

import pytest

from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import Click, Rendition, RenditionOutput
from bot.domain.titles import (
    MAX_FILENAME_BYTES,
    MAX_SOUND_NAME,
    MAX_TITLE,
    clip_filename,
    cut,
    has_song_suffix,
    plain,
    sound_name,
    stem_filename,
    title_of,
)

SUFFIXES = """
aac ac3 aifc amr ape au avi caf flv m4a m4b m4v mka mp2 oga rf64 3gp tta ts w64 wave weba wv
"""


@pytest.mark.parametrize(
    ("filename", "title"),
    [
        ("Neon Rain.mp3", "Neon Rain"),
        ("Neon_Rain_(Official Video)_[HD].mp3", "Neon Rain"),
        ("Neon Rain (Lyrics).m4a", "Neon Rain"),
        ("Neon Rain (feat. Ada).flac", "Neon Rain (feat. Ada)"),
        ("no extension", "no extension"),
        ("Vol. 2.wav", "Vol. 2"),
        (".mp3", "Untitled"),
        ("(Official Video).mp3", "(Official Video)"),
        ("a\u202egpj.exe.mp3", "agpj.exe"),
        ("line\nbreak\ttab.mp3", "line break tab"),
        ("日本語の歌.mp3", "日本語の歌"),
        ("Neon Rain.WAVE", "Neon Rain"),
        ("audiobook.m4b", "audiobook"),
        ("ベスト盤 Vol.2", "ベスト盤 Vol.2"),
        ("ベスト盤 Vol.2.mp3", "ベスト盤 Vol.2"),
        ("交響曲 No.5", "交響曲 No.5"),
        ("feat.JayZ", "feat.JayZ"),
        ("SPOILER_Neon_Rain.mp3", "Neon Rain"),
        ("SPOILER_.mp3", "Untitled"),
    ],
)
def test_a_title_comes_from_the_file_name_without_junk(filename: str, title: str) -> None:
    assert title_of(filename) == title


def test_tags_win_over_the_file_name() -> None:
    assert title_of("track01.mp3", title="Neon Rain", artist="Ada") == "Ada - Neon Rain"
    assert title_of("track01.mp3", title="Ada - Neon Rain", artist="Ada") == "Ada - Neon Rain"
    assert title_of("track01.mp3", title="\u200b ") == "track01"


def test_a_long_title_is_cut() -> None:
    assert len(title_of("x" * 500 + ".mp3")) == MAX_TITLE


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Neon Rain", "Neon Rain (No Drums).mp3"),
        ("AC/DC: Live?", "AC DC Live (No Drums).mp3"),
        ("../../etc/passwd", "etc passwd (No Drums).mp3"),
        ("...", "Untitled (No Drums).mp3"),
    ],
)
def test_a_delivered_file_has_a_safe_readable_name(title: str, name: str) -> None:
    assert stem_filename(title, Stem.NO_DRUMS, AudioFormat.MP3) == name


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
SINGER = "\U0001f469\U0001f3fd\u200d\U0001f3a4"
PERSIAN = "\u0646\u06cc\u0645\u200c\u0641\u0627\u0635\u0644\u0647"
HINDI = "\u0915\u094d\u200d\u0937"


@pytest.mark.parametrize("name", [FAMILY, SINGER, PERSIAN, HINDI, f"{PERSIAN} {SINGER}"])
def test_joiners_inside_words_and_emoji_stay(name: str) -> None:
    assert title_of(f"{name}.mp3") == name


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
def test_joiners_that_join_nothing_go(joiner: str) -> None:
    assert plain(f"{joiner}pay{joiner}pal{joiner} {joiner}{joiner}") == "paypal"
    assert plain(f"\u0646{joiner} \u0646{joiner}{joiner}\u0646") == "\u0646 \u0646\u0646"


def test_a_title_is_cut_between_letters() -> None:
    assert cut("e\u0323\u0300" * 3, 5) == "e\u0323\u0300…"
    assert cut(FAMILY * 3, 13) == FAMILY * 2 + "…"
    assert cut("\U0001f1ef\U0001f1f5" * 3, 4) == "\U0001f1ef\U0001f1f5…"
    assert cut("a" + "\u0e49" * 200, 80) == "a" + "\u0e49" * 78 + "…"


@pytest.mark.parametrize(
    "letter",
    ["夜", "\U0001f3a4", FAMILY, PERSIAN, HINDI, "x"],
)
def test_any_title_makes_a_name_that_a_file_system_takes(letter: str, tmp_path: Path) -> None:
    name = stem_filename(title_of(letter * 100), Stem.BACKING_VOCALS, AudioFormat.FLAC)
    assert name.endswith(" (Backing Vocals).flac")
    assert len(name.encode()) <= MAX_FILENAME_BYTES
    assert (tmp_path / f"{name}.part").write_bytes(b"sound") == 5
    assert name.count(letter) * len(letter) >= len(name.partition("…")[0].partition(" (")[0]) - len(
        letter
    )


def test_a_file_name_is_cut_at_a_letters_end() -> None:
    name = stem_filename(SINGER * 70, Stem.VOCALS, AudioFormat.MP3)
    assert name == SINGER * 15 + " (Vocals).mp3"


@pytest.mark.parametrize("suffix", SUFFIXES.split())
def test_names_of_songs_end_in_many_ways(suffix: str) -> None:
    assert has_song_suffix(f"song.{suffix}")
    assert has_song_suffix(f"SONG.{suffix.upper()}")


@pytest.mark.parametrize("name", ["Vol.2", "notes.txt", "mp3", "a.", "", "mp3.zip"])
def test_other_names_do_not_end_as_a_song(name: str) -> None:
    assert not has_song_suffix(name)


@pytest.mark.parametrize(
    ("stem", "rendition", "name"),
    [
        (Stem.INSTRUMENTAL, Rendition(cents=-200, speed_percent=90), "Instrumental, -2, 90 %"),
        (Stem.NO_DRUMS, Rendition(cents=300), "No Drums, +3"),
        (Stem.VOCALS, Rendition(speed_percent=150), "Vocals, 150 %"),
        (Stem.VOCALS, Rendition(cents=37), "Vocals, +37 cents"),
        (Stem.VOCALS, Rendition(cents=-1150), "Vocals, -1150 cents"),
        (Stem.MIX, Rendition(output=RenditionOutput.MIX), "Mix"),
        (Stem.MIX, Rendition(cents=300, levels=((Stem.VOCALS, 25),)), "Mix, vocals 25 %, +3"),
        (
            Stem.MIX,
            Rendition(levels=((Stem.LEAD_VOCALS, 200), (Stem.DRUMS, 0))),
            "Mix, no drums, lead vocals 200 %",
        ),
        (Stem.MIX, Rendition(click=Click(count_in_bars=1)), "Mix, count-in"),
        (Stem.MIX, Rendition(click=Click(count_in_bars=1, is_throughout=True)), "Mix, click"),
    ],
)
def test_a_renditions_name_says_what_it_is(stem, rendition, name):
    told = stem_filename("Neon: Rain?", stem, AudioFormat.MP3, rendition)
    assert told == f"Neon Rain ({name}).mp3"


def test_a_rendition_of_a_song_with_a_long_title_has_a_name_that_fits():
    for count in (6, len(Stem) - 1):
        levels = tuple((stem, 33) for stem in tuple(Stem)[:count])
        rendition = Rendition(cents=-1, levels=levels)
        told = stem_filename("é" * 200, Stem.MIX, AudioFormat.FLAC, rendition)
        assert len(told.encode()) <= MAX_FILENAME_BYTES
        assert told.endswith(", -1 cents).flac")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Neon Rain", "Neon Rain"),
        ("x" * 32, "x" * 32),
        ("x" * 33, "x" * 31 + "…"),
        ("Q", "Q (Clip)"),
        ("\u202e", "Untitled (Clip)"),
    ],
)
def test_a_sound_has_a_name_of_2_to_32_characters(title, name):
    assert sound_name(title) == name
    assert 2 <= len(name) <= MAX_SOUND_NAME


def test_a_clip_is_named_after_its_song():
    assert clip_filename("Neon: Rain?") == "Neon Rain (Clip).mp3"
