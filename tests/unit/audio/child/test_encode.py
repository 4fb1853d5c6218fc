import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from bot.audio.child import covers, master
from bot.audio.child.encode import encode
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import DoesNotFit, EncodeTask, part_of
from bot.domain.recipes import AudioFormat
from tests.support import audio_files

SECONDS = 2.2
LOSSY = [AudioFormat.MP3, AudioFormat.OPUS]
LOSSLESS = [AudioFormat.WAV, AudioFormat.FLAC]


@pytest.fixture(scope="module")
def tone_over_noise(tmp_path_factory):
    noise = np.random.default_rng(1).normal(0, 0.02, (2, round(SAMPLE_RATE * SECONDS)))
    path = tmp_path_factory.mktemp("tone") / "master.flac"
    with master.written(path) as write:
        write((audio_files.tone(SECONDS) + noise).T.astype(np.float32))
    return path


@pytest.fixture
def stem(tone_over_noise, tmp_path):
    """A master of a tone over noise."""
    return Path(shutil.copy(tone_over_noise, tmp_path))


@pytest.fixture
def encoded(stem):
    """Encode the master."""

    def run(
        audio_format,
        *,
        max_bytes=None,
        title="Neon Rain (Vocals)",
        artist="Zoë",
        album="Ünder",
        cover=None,
        key=None,
        bpm=None,
    ):
        return encode(
            EncodeTask(
                stem=stem,
                into=stem.with_name(f"out.{audio_format}"),
                format=audio_format,
                max_bytes=max_bytes,
                title=title,
                artist=artist,
                album=album,
                cover=cover,
                key=key,
                bpm=bpm,
            )
        )

    return run


@pytest.mark.parametrize("audio_format", AudioFormat)
def test_an_encoded_stem_has_the_length_and_the_sound_of_its_master(
    encoded, decoded, stem, audio_format
):
    _, original = decoded(stem)
    told = encoded(audio_format)
    assert told.size_bytes == told.path.stat().st_size
    _, samples = decoded(told.path)
    assert len(samples) == pytest.approx(len(original), abs=2)
    middle = slice(SAMPLE_RATE, SAMPLE_RATE * 2)
    gain = np.vdot(samples[middle], original[middle]) / np.vdot(original[middle], original[middle])
    assert gain == pytest.approx(1.0, abs=0.06)
    residual = audio_files.rms(samples[middle] - gain * original[middle])
    # A delay of one sample would give 0.06.
    assert residual < 0.05 * audio_files.rms(original[middle])


@pytest.mark.parametrize("audio_format", LOSSLESS)
def test_lossless_formats_keep_every_sample(encoded, decoded, stem, audio_format):
    _, original = decoded(stem)
    _, samples = decoded(encoded(audio_format).path)
    assert np.array_equal(samples, original)


@pytest.mark.parametrize("audio_format", AudioFormat)
def test_title_and_artist_are_written_as_tags(encoded, decoded, audio_format):
    told, _ = decoded(encoded(audio_format).path)
    assert (told.title, told.artist, told.album) == ("Neon Rain (Vocals)", "Zoë", "Ünder")


@pytest.mark.parametrize(
    ("audio_format", "names"),
    [
        (AudioFormat.MP3, ("TKEY", "TBPM")),
        (AudioFormat.FLAC, ("INITIALKEY", "BPM")),
        (AudioFormat.OPUS, ("INITIALKEY", "BPM")),
        (AudioFormat.WAV, None),
    ],
)
def test_key_and_tempo_are_written_by_the_names_that_a_format_has_for_them(
    encoded, audio_format, names
):
    with av.open(str(encoded(audio_format, key="F#m", bpm="96").path)) as file:
        told = {**file.metadata, **file.streams.audio[0].metadata}
    written = {name: text for name, text in told.items() if text in {"F#m", "96"}}
    assert written == (dict(zip(names, ("F#m", "96"), strict=True)) if names else {})


@pytest.mark.parametrize("audio_format", AudioFormat)
def test_tags_may_be_missing(encoded, decoded, audio_format):
    told, _ = decoded(encoded(audio_format, title=None, artist=None, album=None).path)
    assert (told.title, told.artist, told.album) == (None, None, None)


@pytest.fixture
def cover(tmp_path):
    path = tmp_path / "cover.jpg"
    path.write_bytes(audio_files.a_picture("JPEG", noise=True))
    return path


def cover_in(path):
    """Return the picture in a file's tags."""
    with av.open(str(path)) as container:
        return covers.find(container)


@pytest.mark.parametrize("audio_format", [*LOSSY, AudioFormat.FLAC])
def test_the_cover_is_in_the_tags_and_the_sound_as_without_it(
    encoded, decoded, cover, audio_format
):
    _, without = decoded(encoded(audio_format).path)
    told = encoded(audio_format, cover=cover)
    assert cover_in(told.path) == cover.read_bytes()
    assert told.size_bytes == told.path.stat().st_size
    tags, samples = decoded(told.path)
    assert (tags.title, tags.artist, tags.album) == ("Neon Rain (Vocals)", "Zoë", "Ünder")
    assert np.array_equal(samples, without)


def test_wav_has_no_room_for_a_cover(encoded, cover):
    told = encoded(AudioFormat.WAV, cover=cover)
    assert cover_in(told.path) is None
    assert cover.read_bytes() not in told.path.read_bytes()


@pytest.mark.parametrize("audio_format", [AudioFormat.MP3, AudioFormat.FLAC])
def test_the_cover_is_left_out_before_sound_is(encoded, cover, audio_format):
    full = encoded(audio_format)
    told = encoded(audio_format, cover=cover, max_bytes=full.size_bytes + 1_000)
    assert (told.bit_rate, told.size_bytes) == (full.bit_rate, full.size_bytes)
    assert cover_in(told.path) is None


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\xff\xd8\xff\xe0 cut off"])
def test_a_cover_that_is_none_is_left_out(encoded, tmp_path, content):
    path = tmp_path / "cover.jpg"
    if content is not None:
        path.write_bytes(content)
    assert cover_in(encoded(AudioFormat.MP3, cover=path).path) is None


def test_mp3_and_opus_are_what_players_expect(encoded):
    with av.open(str(encoded(AudioFormat.MP3).path)) as mp3:
        stream = mp3.streams.audio[0]
        assert (mp3.format.name, stream.rate, stream.channels) == ("mp3", SAMPLE_RATE, 2)
        assert stream.bit_rate == 256_000
    with av.open(str(encoded(AudioFormat.OPUS).path)) as opus:
        stream = opus.streams.audio[0]
        assert (opus.format.name, stream.rate, stream.channels) == ("ogg", 48_000, 2)


def test_mp3_shares_bits_between_channels_only_where_they_are_scarce(encoded):
    assert not is_joint_stereo(encoded(AudioFormat.MP3).path)
    assert is_joint_stereo(encoded(AudioFormat.MP3, max_bytes=60_000).path)


def is_joint_stereo(mp3):
    """Read a frame's channel mode, the upper two bits of its header's last byte."""
    with av.open(str(mp3)) as container:
        header = bytes(next(container.demux(audio=0)))[:4]
    return header[3] >> 6 == 1


@pytest.mark.parametrize("audio_format", LOSSY)
@pytest.mark.parametrize("max_bytes", [33_000, 20_000])
def test_a_lower_rate_is_taken_when_the_best_does_not_fit(
    encoded, decoded, audio_format, max_bytes
):
    told = encoded(audio_format, max_bytes=max_bytes)
    assert max_bytes / 2 < told.size_bytes <= max_bytes
    assert told.bit_rate < encoded(audio_format).bit_rate
    assert decoded(told.path)[0].duration_s == pytest.approx(SECONDS, abs=0.01)


def test_the_written_file_decides_and_not_the_prediction(encoded):
    exactly_the_audio = int(192_000 / 8 * SECONDS)  # leaves no room for tags and headers
    told = encoded(AudioFormat.MP3, max_bytes=exactly_the_audio)
    assert told.bit_rate == 160_000
    assert told.size_bytes <= exactly_the_audio


@pytest.mark.parametrize("audio_format", AudioFormat)
def test_what_fits_in_no_way_is_refused(encoded, stem, audio_format):
    with pytest.raises(DoesNotFit) as refusal:
        encoded(audio_format, max_bytes=9_000)
    assert refusal.value.needed_bytes > refusal.value.max_bytes == 9_000
    assert not stem.with_name(f"out.{audio_format}").exists()


def test_a_wav_that_cannot_fit_is_not_even_begun(encoded, stem):
    with pytest.raises(DoesNotFit):
        encoded(AudioFormat.WAV, max_bytes=100_000)
    assert not part_of(stem.with_name("out.wav")).exists()
