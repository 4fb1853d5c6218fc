"""Names made from what strangers typed."""

import pytest

from bot.domain.recipes import AudioFormat, Stem
from bot.domain.titles import MAX_TITLE, stem_filename, title_of


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
