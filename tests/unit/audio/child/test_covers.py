"""Covers are read from untrusted tags as small pictures, or ignored."""

import io

import pytest
from PIL import Image

from bot.audio.child import covers
from bot.audio.child.decoding.decode import decode
from bot.audio.tasks import MOST_COVER_BYTES, DecodeTask
from tests.support import audio_files


@pytest.fixture
def cover_of(tmp_path):
    """Decode a song; return the bytes of its cover, or None."""

    def run(source):
        into = tmp_path / "cover.jpg"
        decode(DecodeTask(source=source, into=tmp_path / "a.f32", max_frames=10**6, cover=into))
        return into.read_bytes() if into.exists() else None

    return run


@pytest.mark.parametrize(
    ("container", "codec", "kind"),
    [
        ("mp3", "libmp3lame", "JPEG"),
        ("mp3", "libmp3lame", "PNG"),
        ("flac", "flac", "JPEG"),
        ("mp4", "aac", "JPEG"),
        ("opus", "libopus", "PNG"),
    ],
)
def test_the_picture_in_the_tags_is_found(cover_of, tmp_path, container, codec, kind):
    picture = audio_files.a_picture(kind)
    song = audio_files.write_with_picture(tmp_path / "song", container, codec, picture)
    with Image.open(io.BytesIO(cover_of(song))) as image:
        assert (image.format, image.size) == ("JPEG", (300, 300))


def test_a_song_without_a_picture_has_no_cover(cover_of, tmp_path):
    (tmp_path / "cover.jpg").write_bytes(b"of an earlier try")
    assert cover_of(audio_files.write(tmp_path / "a.mp3", "mp3", "libmp3lame")) is None


def test_the_pictures_of_a_film_are_no_cover(cover_of, tmp_path):
    assert cover_of(audio_files.write(tmp_path / "a.mp4", "mp4", "aac", video=True)) is None


@pytest.mark.parametrize("picture", [b"\xff\xd8\xff\xe0 no picture", b"GIF89a" + bytes(40)])
def test_a_picture_that_cannot_be_read_leaves_the_song_as_it_is(cover_of, tmp_path, picture):
    song = audio_files.write_with_picture(tmp_path / "a.mp3", "mp3", "libmp3lame", picture)
    assert cover_of(song) is None


def test_a_cover_is_small_and_says_nothing_of_its_maker(tmp_path):
    large, exif = io.BytesIO(), Image.Exif()
    exif[0x010E] = "a secret place"
    Image.new("RGB", (3_000, 2_000), (200, 30, 40)).save(large, "JPEG", exif=exif)
    assert b"a secret place" in large.getvalue()
    covers.write_small(large.getvalue(), tmp_path / "cover.jpg")
    content = (tmp_path / "cover.jpg").read_bytes()
    assert b"secret" not in content
    with Image.open(io.BytesIO(content)) as image:
        assert max(image.size) == 500


def test_a_picture_of_more_pixels_than_fit_memory_is_left_out(tmp_path):
    huge = audio_files.a_picture("PNG", side=4_001)
    covers.write_small(huge, tmp_path / "cover.jpg")
    assert not (tmp_path / "cover.jpg").exists()


def test_a_picture_that_stays_large_is_left_out(tmp_path):
    noisy = audio_files.a_picture("PNG", side=500, noise=True)
    covers.write_small(noisy, tmp_path / "cover.jpg")
    cover = tmp_path / "cover.jpg"
    assert not cover.exists() or cover.stat().st_size <= MOST_COVER_BYTES
    assert not any(tmp_path.glob("*.part"))
