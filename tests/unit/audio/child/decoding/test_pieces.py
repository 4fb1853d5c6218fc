"""The pieces of a file that FFmpeg reads, with some bytes corrected."""

import errno
import io
import os
from pathlib import Path

import pytest

from bot.audio.child.decoding.pieces import Input, Piece, pieces_of
from tests.fuzz.makers import COVER, ape_tag, id3v2
from tests.support import audio_files

LETTERS = b"abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def mp3(tmp_path: Path) -> bytes:
    options = {"id3v2_version": "0"}
    return audio_files.write(tmp_path / "a.mp3", "mp3", "libmp3lame", options=options).read_bytes()


def shown(path: Path, content: bytes, demuxer: str) -> list[bytes]:
    """Return the bytes read from each piece."""
    path.write_bytes(content)
    with path.open("rb") as file:
        return [everything(Input(file, piece)) for piece in pieces_of(file, demuxer)]


def everything(view: Input) -> bytes:
    content = b""
    while more := view.read(1000):
        content += more
    return content


def test_stretches_are_read_as_if_they_were_one() -> None:
    view = Input(io.BytesIO(LETTERS), Piece(stretches=((2, 5), (10, 12))))
    assert everything(view) == b"cdekl"
    assert view.seek(0, os.SEEK_END) == 5
    assert view.seek(-2, os.SEEK_CUR) == 3
    assert view.read(9) == b"kl"
    assert view.seek(9) == view.tell() == 9
    assert view.read(9) == b""


@pytest.mark.parametrize(("offset", "whence"), [(-1, os.SEEK_SET), (-9, os.SEEK_END), (0, 65536)])
def test_a_place_that_cannot_be_is_an_error_by_number(offset: int, whence: int) -> None:
    view = Input(io.BytesIO(LETTERS), Piece(stretches=((2, 5),)))
    assert view.seek(offset, whence) == -errno.EINVAL


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_corrections_are_read_however_the_file_is_read(size: int) -> None:
    piece = Piece(stretches=((0, 10),), corrections=((3, b"DEF"), (9, b"JKL")))
    view = Input(io.BytesIO(LETTERS), piece)
    assert b"".join(view.read(size) for _ in range(10)) == b"abcDEFghiJ"


def test_a_lame_frame_begins_a_song_of_its_own(tmp_path: Path, mp3: bytes) -> None:
    content = mp3 + id3v2(COVER) + mp3 + ape_tag(COVER)
    assert shown(tmp_path / "both", content, "mp3") == [mp3, mp3]


def test_frames_behind_damage_are_found(tmp_path: Path, mp3: bytes) -> None:
    damaged = mp3[:8000] + bytes(500) + mp3[8500:]
    [left] = shown(tmp_path / "damaged", damaged, "mp3")
    assert len(mp3) - 1600 < len(left) < len(mp3)


def test_links_of_an_ogg_chain_are_pieces(tmp_path: Path) -> None:
    links = [
        audio_files.write(tmp_path / layout, "ogg", "libopus", sample_rate=48_000, layout=layout,
                     sound=audio_files.tone(sample_rate=48_000, channels=channels)).read_bytes()
        for layout, channels in (("mono", 1), ("stereo", 2))
    ]  # fmt: skip
    assert shown(tmp_path / "chain", b"".join(links), "ogg") == links


def test_a_file_of_countless_pieces_is_read_as_a_few(tmp_path: Path) -> None:
    page = b"OggS\0\2" + bytes(20) + b"\1\1a"
    other = b"OggS\0\0" + bytes(20) + b"\1\1a"
    pieces = shown(tmp_path / "many", (page + other) * 2000, "ogg")
    assert len(pieces) == 500
    assert b"".join(pieces) == (page + other) * 2000
