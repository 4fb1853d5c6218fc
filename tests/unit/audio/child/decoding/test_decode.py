import os
import struct
import tempfile
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from bot.audio.spool import FRAME_BYTES, SAMPLE_RATE
from bot.audio.tasks import part_of
from bot.domain.errors import Reason, Rejected
from tests.fuzz import makers
from tests.support import audio_files


@pytest.mark.parametrize(
    ("name", "container", "codec", "sample_rate", "demuxer", "told_codec"),
    audio_files.KINDS,
    ids=[kind[0] for kind in audio_files.KINDS],
)
def test_every_kind_decodes_to_the_same_sound(
    tmp_path, decoded, name, container, codec, sample_rate, demuxer, told_codec
):
    source = audio_files.write(
        tmp_path / name, container, codec, sample_rate=sample_rate, bit_rate=192_000
    )
    told, samples = decoded(source)
    assert (told.container, told.codec, told.ends_early) == (demuxer, told_codec, False)
    assert told.duration_s == pytest.approx(1.0, abs=0.06)
    assert len(samples) == told.frames
    middle = samples[SAMPLE_RATE // 4 : SAMPLE_RATE * 3 // 4]
    # LAME lowers the level by up to 5 % to avoid clipping.
    assert audio_files.rms(middle) == pytest.approx(audio_files.TONE_RMS, rel=0.06)
    spectrum = np.abs(np.fft.rfft(middle[:, 1]))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=2)


def test_the_name_of_a_file_does_not_matter(tmp_path, decoded):
    told, _ = decoded(audio_files.write(tmp_path / "song.txt", "flac", "flac"))
    assert told.container == "flac"


@pytest.mark.parametrize("box", [b"free", b"skip", b"pnot", b"wide"])
def test_a_mov_may_start_with_any_box(tmp_path, decoded, box):
    source = audio_files.write(tmp_path / "a.mov", "mov", "pcm_s16le")
    source.write_bytes(source.read_bytes().replace(b"ftyp", box, 1))
    told, _ = decoded(source)
    assert told.duration_s == pytest.approx(1.0, abs=0.01)


def test_audio_is_taken_out_of_a_video(tmp_path, decoded):
    told, samples = decoded(audio_files.write(tmp_path / "clip.mp4", "mp4", "aac", video=True))
    assert told.codec == "aac"
    assert audio_files.rms(samples[10_000:30_000]) == pytest.approx(audio_files.TONE_RMS, rel=0.02)


def test_a_video_without_sound_has_no_audio_track(tmp_path, decoded):
    with pytest.raises(Rejected) as refusal:
        decoded(audio_files.write_video_only(tmp_path / "silent.mp4"))
    assert refusal.value.problem.reason is Reason.NO_AUDIO_TRACK


def test_cover_art_is_passed_over(tmp_path, decoded):
    song = audio_files.write(tmp_path / "a.mp3", "mp3", "libmp3lame", tags={"title": "x"})
    png = b"\x89PNG\r\n\x1a\n" + bytes(200)
    picture = b"\x00image/png\x00\x03\x00" + png
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = len(frame)
    tag = b"ID3\x03\x00\x00" + bytes([size >> 21, size >> 14 & 127, size >> 7 & 127, size & 127])
    song.write_bytes(tag + frame + song.read_bytes())
    told, _ = decoded(song)
    assert told.codec == "mp3"
    assert told.duration_s == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 96_000])
def test_mono_is_doubled_at_its_own_level(tmp_path, decoded, sample_rate):
    source = audio_files.write(
        tmp_path / "mono.wav", "wav", "pcm_s16le", sample_rate=sample_rate, layout="mono"
    )
    told, samples = decoded(source)
    assert told.frames == pytest.approx(SAMPLE_RATE, abs=2)
    assert np.array_equal(samples[:, 0], samples[:, 1])
    assert audio_files.rms(samples[4_000:40_000]) == pytest.approx(audio_files.TONE_RMS, rel=0.01)


def test_surround_is_mixed_down_with_every_main_channel_in_it(tmp_path, decoded):
    silence = np.zeros((6, SAMPLE_RATE // 8), np.float32)
    for channel in (0, 1, 2, 4, 5):
        sound = silence.copy()
        sound[channel] = audio_files.tone(1 / 8)[0]
        source = audio_files.write(
            tmp_path / f"{channel}.wav", "wav", "pcm_s16le", sound=sound, layout="5.1"
        )
        _, samples = decoded(source)
        assert samples.shape[1] == 2
        assert audio_files.rms(samples) > 0.3 * audio_files.TONE_RMS


def test_samples_that_are_no_numbers_become_silence(tmp_path, decoded):
    samples = audio_files.tone().T.astype("<f4").copy()
    samples[100:104] = np.nan, np.inf
    samples[200:204] = -np.inf, 1e30
    source = tmp_path / "wild.wav"
    _write_float_wav(source, samples)
    _, read = decoded(source)
    assert np.isfinite(read).all()
    assert not read[100:104].any()
    assert not read[200:204].any()
    assert np.array_equal(read[300:], samples[300:])


def test_a_stream_may_change_its_rate_and_channels_midway(tmp_path, decoded):
    first = audio_files.write(tmp_path / "1.mp3", "mp3", "libmp3lame")
    second = audio_files.write(
        tmp_path / "2.mp3", "mp3", "libmp3lame", sample_rate=48_000, layout="mono"
    )
    both = tmp_path / "both.mp3"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    told, samples = decoded(both)
    assert told.duration_s == pytest.approx(2.0, abs=0.15)
    assert audio_files.rms(samples[-30_000:-5_000]) == pytest.approx(audio_files.TONE_RMS, rel=0.05)


def test_tags_are_told_in_one_clean_line(tmp_path, decoded):
    tags = {"title": "Neon\u202e  Rain\n\x07(live)", "artist": "Zoë " * 100}
    told, _ = decoded(audio_files.write(tmp_path / "a.flac", "flac", "flac", tags=tags))
    assert told.title == "Neon Rain (live)"
    assert told.artist is not None
    assert told.artist.startswith("Zoë Zoë")
    assert len(told.artist) <= 200


def test_a_file_without_tags_has_no_title(tmp_path, decoded):
    told, _ = decoded(audio_files.write(tmp_path / "a.wav", "wav", "pcm_s16le"))
    assert (told.title, told.artist) == (None, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.EMPTY_FILE),
        (b"I am a text, and I say so.\n" * 1000, Reason.NOT_AUDIO),
        (b"\xff\xfe" + "and so am I".encode("utf-16-le") * 500, Reason.NOT_AUDIO),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 40, Reason.NOT_AUDIO),
        (b"\x00" * 5000, Reason.NOT_AUDIO),
        (b"\xff" * 5000, Reason.NOT_AUDIO),
        (b"ID3\x03\x00\x00\x00\x00\x00\x00", Reason.NOT_AUDIO),
        (b"fLaC", Reason.BROKEN_FILE),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", Reason.BROKEN_FILE),
        (b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00", Reason.BROKEN_FILE),
        (b"OggS" + bytes(100), Reason.BROKEN_FILE),
    ],
)
def test_what_is_no_audio_is_refused_with_the_reason(tmp_path, decoded, content, reason):
    source = tmp_path / "song.mp3"
    source.write_bytes(content)
    with pytest.raises(Rejected) as refusal:
        decoded(source)
    assert refusal.value.problem.reason is reason


def test_a_chunk_that_ends_beyond_any_file_does_no_harm(tmp_path, decoded):
    source = audio_files.write(tmp_path / "a.caf", "caf", "pcm_s16be")
    source.write_bytes(source.read_bytes() + b"junk" + struct.pack(">q", 2**62) + bytes(9))
    assert decoded(source)[0].frames == SAMPLE_RATE


def test_a_wav_without_samples_is_too_short(tmp_path, decoded):
    source = tmp_path / "none.wav"
    _write_float_wav(source, np.zeros((0, 2), "<f4"))
    with pytest.raises(Rejected) as refusal:
        decoded(source)
    assert refusal.value.problem.reason is Reason.TOO_SHORT


def test_a_codec_that_is_not_on_the_list_is_refused(tmp_path, decoded):
    source = audio_files.write(tmp_path / "odd.wav", "wav", "adpcm_yamaha")
    with pytest.raises(Rejected) as refusal:
        decoded(source)
    assert refusal.value.problem.reason is Reason.UNREAD_CODEC


PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile 'secret.wav'\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    "pls": "[playlist]\nFile1=secret.wav\nNumberOfEntries=1\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_is_refused_and_its_files_are_not_read(tmp_path, decoded, kind):
    secret = _unread(audio_files.write(tmp_path / "secret.wav", "wav", "pcm_s16le"))
    playlist = tmp_path / "song.mp3"
    playlist.write_text(PLAYLISTS[kind])
    with pytest.raises(Rejected) as refusal:
        decoded(playlist)
    assert refusal.value.problem.reason is Reason.NOT_AUDIO
    assert not _was_read(secret)


def test_without_our_care_a_playlist_would_be_followed(tmp_path):
    secret = _unread(audio_files.write(tmp_path / "secret.wav", "wav", "pcm_s16le"))
    playlist = tmp_path / "song.mp3"
    playlist.write_text(PLAYLISTS["concat"])
    with av.open(str(playlist)) as container:
        assert next(container.decode(audio=0)).samples
    if not _was_read(secret):
        pytest.skip("this file system does not record when a file was read")


@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_decoding_stops_at_the_limit(tmp_path, decoded, kind):
    codec = {"flac": "flac", "mp3": "libmp3lame"}[kind]
    silence = np.zeros((1, 8_000 * 20), np.float32)
    source = audio_files.write(
        tmp_path / "long", kind, codec, sound=silence, sample_rate=8_000, layout="mono"
    )
    with pytest.raises(Rejected) as refusal:
        decoded(source, max_duration_s=5.0)
    assert refusal.value.problem.reason is Reason.TOO_LONG
    written = part_of(tmp_path / "decoded.f32").stat().st_size
    assert written <= 5.0 * SAMPLE_RATE * FRAME_BYTES


def test_a_header_that_lies_about_the_length_changes_nothing(tmp_path, decoded):
    source = audio_files.write(tmp_path / "a.m4a", "mp4", "aac", sound=audio_files.tone(5.0))
    content = bytearray(source.read_bytes())
    for box, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        at = content.index(box) + offset
        content[at : at + 4] = struct.pack(">I", 1)
    at = content.index(b"elst")
    content[at : at + 4] = b"free"
    source.write_bytes(content)
    with av.open(str(source)) as container:
        assert container.duration
        assert container.duration < 1_000_000
    told, _ = decoded(source)
    assert told.duration_s == pytest.approx(5.0, abs=0.1)
    assert not told.ends_early


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("mp4", "aac", {"movflags": "faststart"}),
        ("wav", "pcm_s16le", {}),
        ("flac", "flac", {}),
        ("aiff", "pcm_s16be", {}),
        ("mp3", "libmp3lame", {}),
    ],
)
def test_a_cut_file_whose_header_tells_its_length_is_known_to_be_cut(
    tmp_path, decoded, container, codec, options
):
    told, samples = decoded(_cut_noise(tmp_path, container, codec, options))
    assert told.ends_early
    assert told.duration_s == pytest.approx(3.0, abs=0.5)
    assert audio_files.rms(samples[-SAMPLE_RATE:]) == pytest.approx(0.1, rel=0.3)


@pytest.mark.parametrize(
    ("container", "codec", "is_known"),
    [("mp3", "libmp3lame", False), ("matroska", "aac", True), ("ogg", "libopus", True)],
)
def test_a_cut_stream_decodes_as_far_as_it_goes(tmp_path, decoded, container, codec, is_known):
    told, samples = decoded(_cut_noise(tmp_path, container, codec, {}))
    assert told.ends_early or not is_known
    assert told.duration_s == pytest.approx(3.0, abs=1.1)  # an Ogg page holds a second
    assert audio_files.rms(samples[-SAMPLE_RATE:]) == pytest.approx(0.1, rel=0.3)


def test_an_m4a_cut_before_its_index_is_broken(tmp_path, decoded):
    source = audio_files.write(tmp_path / "a.m4a", "mp4", "aac")
    source.write_bytes(source.read_bytes()[:-2000])
    with pytest.raises(Rejected) as refusal:
        decoded(source)
    assert refusal.value.problem.reason is Reason.BROKEN_FILE


def test_damage_in_the_middle_is_left_out(tmp_path, decoded):
    source = audio_files.write(tmp_path / "a.mp3", "mp3", "libmp3lame", sound=audio_files.tone(4.0))
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    source.write_bytes(content)
    told, _ = decoded(source)
    assert told.duration_s == pytest.approx(4.0, abs=0.4)
    assert not told.ends_early


def _cut_noise(tmp_path, container, codec, options):
    """Write six seconds of mono noise and cut the file in half."""
    sample_rate = 48_000 if codec == "libopus" else SAMPLE_RATE
    noise = np.random.default_rng(1).normal(0, 0.1, (1, sample_rate * 6))
    source = audio_files.write(
        tmp_path / "cut",
        container,
        codec,
        sound=noise,
        sample_rate=sample_rate,
        layout="mono",
        options=options,
    )
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    return source


def _unread(path):
    """Set a file's access time to long before its modification time."""
    os.utime(path, (1_000_000, path.stat().st_mtime))
    return path


def _was_read(path):
    return path.stat().st_atime != 1_000_000


def _write_float_wav(path, samples):
    data = samples.tobytes()
    header = struct.pack("<HHIIHH", 3, 2, SAMPLE_RATE, SAMPLE_RATE * 8, 8, 32)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt \x10\x00\x00\x00" + header
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip


WAV_SIZES = {
    "unknown": b"\xff\xff\xff\xff",
    "never filled in": bytes(4),
    "of a pipe": b"\xff\xff\xff\x7f",
    "half of it": struct.pack("<I", SAMPLE_RATE * 2),
    "some bytes less": struct.pack("<I", SAMPLE_RATE * 4 - 100),
    "some bytes more": struct.pack("<I", SAMPLE_RATE * 4 + 100),
}


@pytest.mark.parametrize("size", WAV_SIZES.values(), ids=WAV_SIZES)
def test_a_wrong_size_in_the_header_costs_no_sample(tmp_path, decoded, size):
    source = _noise(tmp_path / "a.wav", "wav", "pcm_s16le")
    _, clean = decoded(source)
    content = source.read_bytes()
    at = content.index(b"data") + 4
    source.write_bytes(content[:at] + size + content[at + 4 :])
    told, samples = decoded(source)
    assert np.array_equal(samples, clean)
    assert not told.ends_early


@pytest.mark.parametrize("behind", [b"LIST\x04\x00\x00\x00INFO", b"TAG" + bytes(125), bytes(999)])
def test_what_stands_behind_the_samples_of_a_wav_is_not_heard(tmp_path, decoded, behind):
    source = _noise(tmp_path / "a.wav", "wav", "pcm_s16le")
    _, clean = decoded(source)
    source.write_bytes(source.read_bytes() + behind)
    assert np.array_equal(decoded(source)[1], clean)


@pytest.mark.parametrize(
    ("container", "codec", "options", "name", "offset", "size"),
    [
        ("wav", "pcm_s16le", {"rf64": "always"}, b"ds64", 16, bytes(8)),
        ("w64", "pcm_s16le", {}, b"data\xf3", 16, b"\xff" * 8),
        ("aiff", "pcm_s16be", {}, b"SSND", 4, bytes(4)),
        ("aiff", "pcm_s16be", {}, b"SSND", 4, b"\xff" * 4),
        ("caf", "pcm_s16be", {}, b"data", 4, b"\xff" * 8),
        ("au", "pcm_s16be", {}, b".snd", 8, b"\xff" * 4),
    ],
)
def test_sizes_may_be_unknown_in_every_container(
    tmp_path, decoded, container, codec, options, name, offset, size
):
    source = _noise(tmp_path / "a", container, codec, options=options)
    _, clean = decoded(source)
    content = source.read_bytes()
    at = content.index(name) + offset
    source.write_bytes(content[:at] + size + content[at + len(size) :])
    told, samples = decoded(source)
    assert np.array_equal(samples, clean)
    assert not told.ends_early


BEHIND_AN_MP3 = {
    "Lyrics3": b"LYRICSBEGININD0000210LYR00020[00:01]La la la la la000059LYRICS200",
    "APE tag with a cover": makers.ape_tag(makers.COVER),
    "ID3v2 with a cover": makers.id3v2(makers.COVER),
    "ID3v1": b"TAG" + bytes(125),
    "zeros": bytes(3000),
    "a newline": b"\n",
    "another picture": makers.COVER[:4] + b"\xff\xfb\x90\x64" * 500,
}


@pytest.mark.parametrize("behind", BEHIND_AN_MP3.values(), ids=BEHIND_AN_MP3)
@pytest.mark.parametrize("xing", ["0", "1"])
def test_what_stands_behind_an_mp3_is_not_heard(tmp_path, decoded, behind, xing):
    source = tmp_path / "a.mp3"
    source.write_bytes(_mp3_of_noise(xing))
    _, clean = decoded(source)
    source.write_bytes(source.read_bytes() + behind)
    told, samples = decoded(source)
    assert np.array_equal(samples, clean)
    assert not told.ends_early


def test_two_mp3s_of_5_seconds_are_one_song_of_10(tmp_path, decoded):
    source = audio_files.write(
        tmp_path / "a.mp3",
        "mp3",
        "libmp3lame",
        sound=audio_files.tone(5.0, channels=1),
        layout="mono",
    )
    source.write_bytes(source.read_bytes() * 2)
    told, _ = decoded(source)
    assert told.duration_s == pytest.approx(10.0, abs=0.01)
    assert not told.ends_early


def test_the_name_in_an_id3v1_tag_is_told(tmp_path, decoded):
    options = {"write_xing": "0", "id3v2_version": "0"}
    source = audio_files.write(tmp_path / "a.mp3", "mp3", "libmp3lame", options=options)
    source.write_bytes(source.read_bytes() + b"TAG" + b"Neon Rain".ljust(125, b"\0"))
    assert decoded(source)[0].title == "Neon Rain"


def test_monkeys_audio_is_read(tmp_path, decoded):
    told, samples = decoded(makers.silent_ape(tmp_path / "a.ape"))
    assert (told.codec, told.duration_s) == ("ape", 2.0)
    assert not samples.any()


def test_sound_behind_a_hole_comes_when_it_should(tmp_path, decoded):
    track = makers.Track(codec="aac", hole_at_s=1.0, hole_s=2.5)
    told, samples = decoded(makers.muxed(tmp_path / "a.m4a", "mp4", track))
    assert told.duration_s == pytest.approx(4.5, abs=0.05)
    loud = np.flatnonzero(np.abs(samples[:, 0]) > 0.1) / SAMPLE_RATE
    assert np.diff(loud).max() == pytest.approx(2.5, abs=0.05)


def test_a_clock_that_was_set_makes_no_hole(tmp_path, decoded):
    track = makers.Track(codec="aac", hole_at_s=1.0, hole_s=3600.0)
    told, _ = decoded(makers.muxed(tmp_path / "a.m4a", "mp4", track))
    assert told.duration_s == pytest.approx(2.0, abs=0.05)
    assert not told.ends_early


def test_a_spike_is_clamped_and_the_song_keeps_its_level(tmp_path, decoded):
    samples = audio_files.tone().T.astype("<f4").copy()
    samples[20_000] = 17_000.0
    samples[30_000] = -3e8
    _write_float_wav(tmp_path / "spikes.wav", samples)
    _, read = decoded(tmp_path / "spikes.wav")
    assert np.abs(read).max() == 1.0
    assert read[20_000].min() == 1.0
    assert read[30_000].max() == -1.0
    assert np.array_equal(
        np.delete(read, [20_000, 30_000], 0), np.delete(samples, [20_000, 30_000], 0)
    )


def test_a_song_above_full_scale_keeps_its_peaks(tmp_path, decoded):
    loud = (8 * audio_files.tone()).T.astype("<f4")
    _write_float_wav(tmp_path / "loud.wav", loud)
    assert np.array_equal(decoded(tmp_path / "loud.wav")[1], loud)


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
@pytest.mark.parametrize("channels", [3, 6, 10, 16])
def test_each_channel_is_heard_without_a_layout(tmp_path, decoded, channels, sample_rate):
    for channel in range(channels):
        sound = np.zeros((sample_rate // 8, channels), "<i2")
        sound[:, channel] = 16_000 * np.sin(np.arange(len(sound)) / 20)
        source = tmp_path / "many.wav"
        kind = struct.pack(
            "<HHIIHH", 1, channels, sample_rate, sample_rate * 2 * channels, 2 * channels, 16
        )
        source.write_bytes(makers.riff(kind, sound.tobytes()))
        assert audio_files.rms(decoded(source)[1]) > 0.1 / channels**0.5


def test_a_file_that_stops_decoding_is_given_up_and_kept_as_far_as_it_goes(tmp_path, decoded):
    source = audio_files.write(
        tmp_path / "a.m4a", "mp4", "aac", sound=audio_files.tone(40.0, channels=1), layout="mono"
    )
    content = bytearray(source.read_bytes())
    start, end = len(content) // 20, len(content) * 15 // 20
    content[start:end] = b"\xff" * (end - start)
    source.write_bytes(content)
    told, _ = decoded(source, max_duration_s=120.0)
    assert told.ends_early
    assert told.duration_s == pytest.approx(2.0, abs=1.0)


def test_a_file_that_fades_out_where_it_was_cut_does_not_break_off(tmp_path, decoded):
    sound = np.concatenate(
        [audio_files.tone(3.0), np.zeros((2, SAMPLE_RATE * 3), np.float32)], axis=1
    )
    source = audio_files.write(tmp_path / "a.wav", "wav", "pcm_s16le", sound=sound)
    source.write_bytes(source.read_bytes()[: SAMPLE_RATE * 4 * 4])
    assert not decoded(source)[0].ends_early


def _noise(path, container, codec, *, options=None):
    """Write a second of sound without repetition."""
    noise = np.random.default_rng(1).normal(0, 0.1, (2, SAMPLE_RATE))
    return audio_files.write(path, container, codec, sound=noise, options=options)


@cache
def _mp3_of_noise(xing):
    """Return an MP3 without tags. It is cached because LAME takes longer than the tests."""
    options = {"write_xing": xing, "id3v2_version": "0"}
    with tempfile.TemporaryDirectory() as folder:
        return _noise(Path(folder, "a.mp3"), "mp3", "libmp3lame", options=options).read_bytes()
