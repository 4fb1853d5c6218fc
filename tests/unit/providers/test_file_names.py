"""Identifying stems by file names, without false matches."""

import pytest

from bot.domain.recipes import Stem
from bot.providers.file_names import stems_by_name

SIX = [Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.GUITAR, Stem.PIANO, Stem.OTHER]


def told(*names):
    return list(stems_by_name([f"https://files.example/a/{name}" for name in names]))


@pytest.mark.parametrize(
    "names",
    [
        ("song_vocals.mp3", "song_no_vocals.mp3"),
        ("song (Vocals).mp3", "song (Instrumental).mp3"),
        ("vocals.wav", "accompaniment.wav"),
        ("1776_VOCALS.wav", "1777_NoVocals.wav"),
        ("a%20vocal.flac", "a%20non-vocal.flac"),
        ("No Vocals Please (Vocals).mp3", "No Vocals Please (Instrumental).mp3"),
    ],
)
def test_vocals_and_instrumental_are_told_in_many_spellings(names):
    assert told(*names) == [Stem.VOCALS, Stem.INSTRUMENTAL]


def test_six_stems_are_told():
    assert told(*(f"9f_{stem}.wav" for stem in SIX)) == SIX


def test_words_of_the_song_say_nothing():
    names = [f"Drum and Bass Piano {stem}.wav" for stem in SIX]
    assert told(*names) == SIX


def test_only_the_name_of_the_file_counts():
    assert told("bass/drums/1.wav?stem=vocals", "bass/drums/2.wav") == [None, None]


def test_a_name_of_two_stems_tells_none():
    assert told("vocals_drums.wav", "bass.wav") == [None, Stem.BASS]


def test_one_stem_told_twice_is_not_told():
    assert told("a_vocals.wav", "b_vocal.wav", "bass.wav") == [None, None, Stem.BASS]


def test_part_of_a_word_is_not_the_word():
    assert told("bassoon.wav", "another.wav") == [None, None]


def test_dry_is_told_by_the_lack_of_reverb():
    assert told("a_no_reverb.wav", "a_reverb.wav") == [Stem.DRY, None]


def test_nothing_is_told_of_nothing():
    assert stems_by_name([]) == ()


@pytest.mark.parametrize("url", ["https://[x", "", "https://xn--a.example/vocals.mp3", "vocals"])
def test_what_is_no_address_says_no_stem(url):
    assert stems_by_name([url, "https://cdn.example/drums.mp3"]) == (None, Stem.DRUMS)
