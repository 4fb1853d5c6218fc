"""Tags in encodings that the files do not declare."""

import struct
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.support import audio_files

MEANT = [
    ("Café del Mar", "latin-1"),
    ("Été à la plage", "latin-1"),
    ("Beyoncé – Déjà Vu", "cp1252"),
    ("Привет мир", "cp1251"),
    ("Кино - Группа крови №5 (Best)", "cp1251"),
    ("君の名は。", "cp932"),
    ("東京 feat. X", "cp932"),
    ("Привет", "utf-8"),
    ("Neon Rain", "ascii"),
]
UNKNOWN = [("你好世界", "gbk"), ("사랑해", "euc-kr")]


def wav_with_info(path, raw):
    """Write a WAV whose RIFF INFO chunk has this title."""
    audio_files.write(path, "wav", "pcm_s16le")
    content = path.read_bytes()
    title = raw + b"\0" * (2 - len(raw) % 2)
    info = b"INFO" + b"INAM" + struct.pack("<I", len(title)) + title
    content += b"LIST" + struct.pack("<I", len(info)) + info
    path.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    return path


def mp3_with_id3(path, raw):
    """Write an MP3 whose ID3 tag declares this title as Latin-1."""
    frame = b"TIT2" + struct.pack(">IH", len(raw) + 1, 0) + b"\0" + raw
    path.write_bytes(b"ID3\x03\0\0" + bytes([0, 0, 0, len(frame)]) + frame + mp3_without_tags())
    return path


def mp3_with_id3v1(path, raw):
    tag = b"TAG" + raw[:30].ljust(30, b"\0") + bytes(95)
    path.write_bytes(mp3_without_tags() + tag)
    return path


@cache
def mp3_without_tags():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "song")
        return audio_files.write(
            path, "mp3", "libmp3lame", options={"id3v2_version": "0"}
        ).read_bytes()


WRITERS = [wav_with_info, mp3_with_id3, mp3_with_id3v1]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(("title", "encoding"), MEANT)
def test_a_title_is_read_as_it_was_meant(tmp_path, decoded, write, title, encoding):
    told, _ = decoded(write(tmp_path / "song", title.encode(encoding)))
    assert told.title == title


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(("title", "encoding"), UNKNOWN)
def test_a_title_that_cannot_be_read_is_none(tmp_path, decoded, write, title, encoding):
    told, _ = decoded(write(tmp_path / "song", title.encode(encoding)))
    assert told.title is None


def test_a_title_in_utf_8_by_specification_is_not_guessed(tmp_path, decoded):
    told, _ = decoded(
        audio_files.write(tmp_path / "a.flac", "flac", "flac", tags={"title": "Ïðèâåò ÅÄÖ"})
    )
    assert told.title == "Ïðèâåò ÅÄÖ"
