"""Detection of truncated Ogg and Matroska files, wherever they are cut, without false alarms."""

import io
import random
from pathlib import Path

import pytest

from bot.audio.child.decoding.cuts import is_cut
from bot.audio.child.decoding.formats import sniff
from tests.support import audio_files

OPUS = {"sample_rate": 48_000, "sound": audio_files.tone(6.0, sample_rate=48_000)}
KINDS = [
    ("ogg", "libopus", OPUS),
    ("webm", "libopus", OPUS),
    ("matroska", "aac", {}),
    ("matroska", "aac", {"video": True}),
    ("matroska", "pcm_s16le", {"sound": audio_files.tone(6.0)}),
]
IDS = ["opus", "webm", "mka", "mkv", "mka with pcm"]


def verdict(content: bytes) -> bool:
    file = io.BytesIO(content)
    demuxer = sniff(file)
    assert demuxer is not None
    return is_cut(file, demuxer)


def pages(content: bytes) -> list[int]:
    """Return the offsets of the Ogg pages."""
    starts, start = [], content.find(b"OggS")
    while start >= 0:
        starts.append(start)
        start = content.find(b"OggS", start + 1)
    return starts


@pytest.fixture(params=KINDS, ids=IDS)
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> bytes:
    container, codec, how = request.param
    return audio_files.write(tmp_path / "song", container, codec, **how).read_bytes()


@pytest.fixture
def ogg(tmp_path: Path) -> bytes:
    return audio_files.write(tmp_path / "song.ogg", "ogg", "libopus", **OPUS).read_bytes()


def test_a_whole_file_is_not_cut(whole: bytes) -> None:
    assert not verdict(whole)
    assert not verdict(whole + b"TAG" + bytes(125)), "with a tag that others put behind it"
    assert not verdict(whole + bytes(100_000))


def test_a_file_cut_anywhere_is_cut(whole: bytes) -> None:
    between = set(pages(whole)) if whole.startswith(b"OggS") else set()
    ends = [random.Random(7).randrange(500, len(whole)) for _ in range(200)]
    # Four more bytes, because a page is recognized by its first five.
    missed = [end for end in ends if not verdict(whole[:end])]
    assert all(any(end - 4 <= start <= end for start in between) for end in missed)
    assert verdict(whole[:-1])


def test_a_chain_of_streams_is_whole(ogg: bytes, tmp_path: Path) -> None:
    other = audio_files.write(tmp_path / "other.ogg", "ogg", "libopus", **OPUS).read_bytes()
    assert not verdict(ogg + other)
    assert verdict(ogg + other[: len(other) // 2 + 1])


def test_a_live_stream_that_was_listened_to_for_a_while_is_whole(ogg: bytes) -> None:
    for end in pages(ogg)[3:]:
        assert not verdict(ogg[:end])


@pytest.mark.parametrize("container", ["matroska", "webm"])
def test_a_live_recording_that_says_no_length_is_whole(tmp_path: Path, container: str) -> None:
    live = audio_files.write(
        tmp_path / "live", container, "libopus", **OPUS, options={"live": "1"}
    ).read_bytes()
    assert not verdict(live)
    assert not verdict(live[: len(live) // 2])


def test_sizes_beyond_any_file_do_no_harm() -> None:
    head = b"\x1a\x45\xdf\xa3"
    for rest in (
        b"",
        b"\x01",
        b"\x01" + b"\xff" * 6,
        b"\x01\xff\xff\xff\xff\xff\xff\xfe",
        b"\x80" * 99,
    ):
        assert not is_cut(io.BytesIO(head + rest), "matroska,webm")
    assert not is_cut(io.BytesIO(b""), "ogg")


def test_other_containers_are_left_to_what_their_headers_say() -> None:
    assert not is_cut(io.BytesIO(b"ID3"), "mp3")
