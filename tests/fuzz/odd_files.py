"""A hundred files as people really send them: fifty that are odd but valid, and fifty to refuse."""

import gzip
import json
import struct
from dataclasses import dataclass
from random import Random

from bot.domain.errors import Reason
from tests.fuzz.makers import (
    COVER,
    HIGH,
    LOW,
    RATE,
    Make,
    Track,
    ape_tag,
    behind,
    changed,
    chord,
    cut_to,
    float_wav,
    high,
    id3v2,
    joined,
    long_silence,
    of_bytes,
    of_tracks,
    patched,
    pitches,
    plain,
    resized,
    riff,
    short,
    spiked,
    trimmed,
    video_only,
)
from tests.support.audio_files import tone

LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of the expected sound: these pitches, or silence."""

    seconds: float
    pitches_hz: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Good:
    """A file to be decoded completely, or up to where it breaks off."""

    name: str
    make: Make
    heard: tuple[Passage, ...]
    ends_early: bool = False


@dataclass(frozen=True, slots=True)
class Bad:
    """A file to be refused, and the reason."""

    name: str
    make: Make
    reason: Reason


_LOW = Passage(2.0, (LOW,))
_HIGH = Passage(2.0, (HIGH,))


def _good(name: str, make: Make, *heard: Passage) -> Good:
    return Good(name, make, heard or (_LOW,))


def _broken_off(name: str, make: Make, share: float = 0.5) -> Good:
    return Good(name, changed(make, cut_to(share)), (Passage(1.0, (LOW,)),), ends_early=True)


_WAV = plain("wav", "pcm_s16le")
_RF64 = plain("wav", "pcm_s16le", options={"rf64": "always"})
_W64 = plain("w64", "pcm_s16le")
_AIFF = plain("aiff", "pcm_s16be")
_CAF = plain("caf", "pcm_s16be")
_AU = plain("au", "pcm_s16be")
_MP3 = plain("mp3", "libmp3lame")
_BARE = {"write_xing": "0", "id3v2_version": "0"}
_BARE_MP3 = plain("mp3", "libmp3lame", options=_BARE)
_AAC = plain("adts", "aac")
_FLAC = plain("flac", "flac")
_M4A = plain("mp4", "aac", options={"movflags": "faststart"})
_MOV = plain("mov", "aac")
_OPUS = plain("ogg", "libopus", sample_rate=48_000)
_ID3V1 = b"TAG" + b"Neon Rain".ljust(125, b"\0")
_LYRICS3 = b"LYRICSBEGIN" + b"IND0000210LYR00020[00:01]La la la la la" + b"000059LYRICS200"

_SIZES = (
    _good("WAV of a recorder: size FFFFFFFF", changed(_WAV, patched(b"data", 4, b"\xff" * 4))),
    _good("WAV of a browser: size 0", changed(_WAV, patched(b"data", 4, bytes(4)))),
    _good("WAV of a pipe: size 7FFFFFFF", changed(_WAV, patched(b"data", 4, b"\xff\xff\xff\x7f"))),
    _good("WAV with a size 1,000 bytes short", changed(_WAV, resized(-1000))),
    _good("WAV with a size 1,000 bytes long", changed(_WAV, resized(1000))),
    _good("RF64 without a size", changed(_RF64, patched(b"ds64", 16, b"\xff" * 8))),
    _good("W64 without a size", changed(_W64, patched(b"data\xf3", 16, bytes(8)))),
    _good("AIFF of a pipe: size 0", changed(_AIFF, patched(b"SSND", 4, bytes(4)))),
    _good("AIFC with its bytes the other way round", plain("aiff", "pcm_s16le")),
    _good("CAF with size -1", changed(_CAF, patched(b"data", 4, b"\xff" * 8))),
    _good("AU with size -1", changed(_AU, patched(b".snd", 8, b"\xff" * 4))),
)
_TAGS = (
    _good("MP3 with Lyrics3 behind it", changed(_BARE_MP3, behind(_LYRICS3))),
    _good("MP3 with a cover in an APE tag", changed(_BARE_MP3, behind(ape_tag(COVER) + _ID3V1))),
    _good(
        "MP3 with ID3v2 before, ID3v1 behind", changed(_MP3, lambda it: id3v2(COVER) + it + _ID3V1)
    ),
    _good("MP3 with zeros behind it", changed(_BARE_MP3, behind(bytes(5000)))),
    _good("MP3 with a newline behind it", changed(_MP3, behind(b"\r\n"))),
    _good("AAC with ID3v1 behind it", changed(_AAC, behind(_ID3V1))),
    _good("FLAC with ID3 before and behind", changed(_FLAC, lambda it: id3v2(COVER) + it + _ID3V1)),
    _good("FLAC of a stream: no length", changed(_FLAC, patched(b"fLaC", 21, b"\xf0" + bytes(4)))),
)
_JOINED = (
    _good("two MP3s joined", joined(_MP3, high("mp3", "libmp3lame")), _LOW, _HIGH),
    _good(
        "two MP3s joined, a cover between, the second mono",
        joined(_MP3, high("mp3", "libmp3lame", rate=48_000, mono=True), between=id3v2(COVER)),
        _LOW,
        _HIGH,
    ),
    _good(
        "MP3 whose length is guessed four times too long",
        joined(
            plain("mp3", "libmp3lame", bit_rate=32_000, options=_BARE),
            plain("mp3", "libmp3lame", bit_rate=320_000, options=_BARE),
        ),
        Passage(4.0, (LOW,)),
    ),
    _good(
        "two AACs joined, the second mono",
        joined(_AAC, high("adts", "aac", mono=True)),
        _LOW,
        _HIGH,
    ),
    _good(
        "Ogg chain of Opus and Vorbis",
        joined(_OPUS, of_tracks("ogg", Track(codec="vorbis", sound=tone(2.0, hz=HIGH)))),
        _LOW,
        _HIGH,
    ),
    _good(
        "Ogg chain of stereo and mono",
        joined(_OPUS, high("ogg", "libopus", rate=48_000, mono=True)),
        _LOW,
        _HIGH,
    ),
)
_LATE = Track(codec="aac", starts_at_s=1.5)
_HOLE = Track(codec="aac", hole_at_s=1.0, hole_s=1.5)
_AROUND_THE_HOLE = (Passage(1.0, (LOW,)), Passage(1.5), Passage(1.0, (LOW,)))
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_TIMES = (
    _good("M4A with a hole in its time stamps", of_tracks("mp4", _HOLE), *_AROUND_THE_HOLE),
    _good("MKA with a hole in its time stamps", of_tracks("matroska", _HOLE), *_AROUND_THE_HOLE),
    _good("M4A whose sound starts late", of_tracks("mp4", _LATE), Passage(1.5), _LOW),
    _good(
        "video whose sound starts late", of_tracks("mp4", _LATE, video_s=3.5), Passage(1.5), _LOW
    ),
    _good("M4A with its start trimmed", changed(_M4A, trimmed(start_s=0.5)), Passage(1.5, (LOW,))),
    _good("M4A with its end trimmed", changed(_M4A, trimmed(end_s=0.5)), Passage(1.5, (LOW,))),
    _good("M4A in fragments", plain("mp4", "aac", options=_FRAGMENTS)),
)
_SECOND = Track(codec="aac", sound=tone(2.0, hz=HIGH))
_TRACKS = (
    _good(
        "MKV whose first track has an unknown codec",
        changed(
            of_tracks("matroska", Track(codec="mp2"), _SECOND),
            lambda content: content.replace(b"A_MPEG/L2", b"A_MPEG/X9"),
        ),
        _HIGH,
    ),
    _good(
        "MKV whose default track is the second",
        of_tracks(
            "matroska",
            Track(codec="aac", is_default=False),
            _SECOND,
            options={"default_mode": "passthrough"},
        ),
        _HIGH,
    ),
)
_CHANNELS = (
    *(
        _good(f"{number} channels without a layout", chord(number), Passage(2.0, pitches(number)))
        for number in (3, 4, 5, 7, 10, 16)
    ),
    _good("5.1 with a layout", chord(6, mask=0x3F), Passage(2.0, pitches(6)[:3] + pitches(6)[4:])),
)
_MPEG_AUDIO = Track(codec="mp2", rate=48_000, sound=tone(2.0, hz=LOW, sample_rate=48_000))
_CONTAINERS = (
    _good("MOV that starts with free", changed(_MOV, lambda it: it.replace(b"ftyp", b"free", 1))),
    _good("AVI", of_tracks("avi", Track(codec="libmp3lame"), video_s=2.0)),
    _good("FLV", plain("flv", "aac")),
    _good("MPEG-TS", of_tracks("mpegts", Track(codec="aac"), video_s=2.0)),
    _good("MPEG-PS", of_tracks("vob", _MPEG_AUDIO, video_s=2.0)),
    _good("WavPack", plain("wv", "wavpack")),
    _good("3GP with AMR", plain("3gp", "libopencore_amrnb", sample_rate=8_000, layout="mono")),
)
_SPIKES = (_good("float WAV with a spike of 17,000", float_wav(spiked)),)
_ENDS = (_broken_off("WAV cut off by half", _WAV),)

GOOD: tuple[Good, ...] = (
    *_SIZES,
    *_TAGS,
    *_JOINED,
    *_TIMES,
    *_TRACKS,
    *_CHANNELS,
    *_CONTAINERS,
    *_SPIKES,
    *_ENDS,
)


def _not_audio(name: str, content: bytes) -> Bad:
    return Bad(name, of_bytes(content), Reason.NOT_AUDIO)


def _unread(name: str, magic: bytes) -> Bad:
    return Bad(name, of_bytes(magic + bytes(range(256)) * 20), Reason.UNREAD_KIND)


def _broken(name: str, make: Make) -> Bad:
    return Bad(name, make, Reason.BROKEN_FILE)


_TEXT = "La la la, la la la la.\n" * 400
_NO_SONGS = (
    _not_audio("text", _TEXT.encode()),
    _not_audio("text in UTF-16", _TEXT.encode("utf-16")),
    _not_audio("web page", b"<!doctype html><html><title>404 Not Found</title></html>\n" * 20),
    _not_audio("answer of a server", json.dumps({"error": "expired"}).encode()),
    _not_audio("PNG picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 40),
    _not_audio("JPEG picture", COVER[:2] + b"\xff\xe0\x00\x10JFIF\0" + bytes(range(250)) * 40),
    _not_audio("GIF picture", b"GIF89a" + bytes(range(200)) * 40),
    _not_audio("PDF", b"%PDF-1.7\n" + _TEXT.encode()),
    _not_audio("ZIP", b"PK\x03\x04" + bytes(range(200)) * 40),
    _not_audio("gzipped song sheet", gzip.compress(_TEXT.encode() * 30, mtime=0)),
    _not_audio("program", b"\x7fELF\x02\x01\x01" + bytes(range(128)) * 40),
    _not_audio("database", b"SQLite format 3\0" + bytes(5000)),
    _not_audio("zeros", bytes(5000)),
    _not_audio("bytes of FF", b"\xff" * 5000),
    _not_audio("noise", Random(4).randbytes(20_000)),
    _not_audio("ID3 tag without a song", id3v2(COVER)),
    _not_audio("M3U playlist", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n"),
    _not_audio("PLS playlist", b"[playlist]\nFile1=song.wav\nNumberOfEntries=1\n"),
    _not_audio("concat script", b"ffconcat version 1.0\nfile 'song.wav'\n"),
    _not_audio("SDP", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 5004 RTP/AVP 0\n"),
    _not_audio("CUE sheet", b'FILE "song.wav" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n'),
    Bad("empty file", of_bytes(b""), Reason.EMPTY_FILE),
)
_UNREAD = (
    _unread("MIDI", b"MThd\x00\x00\x00\x06\x00\x01\x00\x02\x01\xe0"),
    _unread("RealAudio", b".RMF\x00\x00\x00\x12"),
    _unread("DSF", b"DSD \x1c\x00\x00\x00"),
    _unread("DSDIFF", b"FRM8"),
    _unread("Musepack", b"MPCKSH"),
    _unread("TAK", b"tBaK"),
    _unread("Shorten", b"ajkg\x02"),
    _unread("OptimFROG", b"OFR \x0f"),
    _unread("Creative Voice", b"Creative Voice File\x1a"),
    _unread("tracker module", b"Extended Module: La la"),
    _unread("DTS", b"\x7f\xfe\x80\x01"),
    Bad("WAV in Yamaha's codec", plain("wav", "adpcm_yamaha"), Reason.UNREAD_CODEC),
    Bad(
        "MKV whose only track has an unknown codec",
        changed(
            of_tracks("matroska", Track(codec="mp2")),
            lambda content: content.replace(b"A_MPEG/L2", b"A_MPEG/X9"),
        ),
        Reason.UNREAD_CODEC,
    ),
)
_SILENT = (
    Bad("MP4 without sound", video_only("mp4"), Reason.NO_AUDIO_TRACK),
    Bad("MKV without sound", video_only("matroska"), Reason.NO_AUDIO_TRACK),
    Bad("AVI without sound", video_only("avi"), Reason.NO_AUDIO_TRACK),
)
_BROKEN = (
    _broken("FLAC with a head alone", of_bytes(b"fLaC")),
    _broken("WAV with a head alone", of_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")),
    _broken("M4A with a head alone", of_bytes(b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00")),
    _broken("Ogg of zeros", of_bytes(b"OggS" + bytes(100))),
    _broken(
        "MKV with a head alone", changed(of_tracks("matroska", Track(codec="mp2")), cut_to(0.003))
    ),
    _broken("M4A cut off before its index", changed(plain("mp4", "aac"), cut_to(0.9))),
    _broken(
        "M4A whose sound was overwritten",
        changed(_M4A, lambda it: it[:2048] + bytes(len(it) - 2048)),
    ),
)
_NO_SAMPLES = of_bytes(riff(struct.pack("<HHIIHH", 1, 2, RATE, RATE * 4, 4, 16), b""))
_LENGTHS = (
    Bad("WAV without a sample", _NO_SAMPLES, Reason.TOO_SHORT),
    Bad("one frame of Opus", short(120, "ogg", "libopus"), Reason.TOO_SHORT),
    Bad("one frame of MP3", short(1152, "mp3", "libmp3lame"), Reason.TOO_SHORT),
    Bad("WAV of 50 ms", short(2400, "wav", "pcm_s16le"), Reason.TOO_SHORT),
    Bad("a long silence in a few kilobytes", long_silence, Reason.TOO_LONG),
)

BAD: tuple[Bad, ...] = (*_NO_SONGS, *_UNREAD, *_SILENT, *_BROKEN, *_LENGTHS)
