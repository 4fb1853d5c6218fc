"""Detects the container by content alone, and lists the codecs that may run.

FFmpeg is told which demuxer to use. If it had to guess, it would also open the files that
playlists, concat scripts and SDP files refer to.
"""

import mmap
from collections.abc import Callable
from typing import Protocol

_HEAD_BYTES = 64 * 1024
_FIRST_FRAME_BYTES = 2048
_FRAMES_IN_A_ROW = 3
FRAME_HEADER_BYTES = 7
_TRANSPORT_PACKET_BYTES = (188, 192, 204)
_PACKETS_IN_A_ROW = 5

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b"\x1a\x45\xdf\xa3", "matroska,webm"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"caff", "caf"),
    (0, b"#!AMR", "amr"),
    (0, b"\x0b\x77", "ac3"),
    (0, b".snd", "au"),
    (0, b"FLV\x01", "flv"),
    (0, b"wvpk", "wv"),
    (0, b"TTA1", "tta"),
    (0, b"MAC ", "ape"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00", "w64"),
    (8, b"WAVE", "wav"),
    (8, b"AVI ", "avi"),
    (8, b"AIFF", "aiff"),
    (8, b"AIFC", "aiff"),
    *((4, box, "mov") for box in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
)
_CHUNKED = {"wav": (b"RIFF", b"RF64", b"BW64"), "avi": (b"RIFF",), "aiff": (b"FORM",)}
_UNREAD: tuple[tuple[int, bytes], ...] = (
    (0, b"MThd"),
    (8, b"RMID"),
    (0, b".RMF"),
    (0, b".ra\xfd"),
    (0, b"DSD "),
    (0, b"FRM8"),
    (0, b"MPCK"),
    (0, b"MP+"),
    (0, b"TTA2"),
    (0, b"tBaK"),
    (0, b"ajkg"),
    (0, b"OFR "),
    (0, b"Creative Voice File"),
    (0, b"Extended Module: "),
    (0, b"IMPM"),
    (0, b"\x7f\xfe\x80\x01"),
    (0, b"ADIF"),
)
"""Formats of music that are recognised but not supported: MIDI, RealAudio, DSD, Musepack, DTS and
others."""
_TELL_LENGTH = frozenset({"aiff", "flac", "mov"})

CODECS = frozenset(
    {
        "mp1",
        "mp2",
        "mp3",
        "mp1float",
        "mp2float",
        "mp3float",
        "aac",
        "aac_latm",
        "alac",
        "vorbis",
        "opus",
        "libopus",
        "flac",
        "ac3",
        "eac3",
        "wmav1",
        "wmav2",
        "wmapro",
        "wmalossless",
        "wavpack",
        "tta",
        "ape",
        "speex",
        "nellymoser",
        "adpcm_swf",
        "amrnb",
        "amrwb",
        "libopencore_amrnb",
        "libopencore_amrwb",
        "adpcm_ms",
        "adpcm_ima_wav",
        "adpcm_ima_qt",
        "gsm",
        "gsm_ms",
        "pcm_alaw",
        "pcm_mulaw",
        "pcm_u8",
        "pcm_s8",
        "pcm_bluray",
        "pcm_dvd",
        "pcm_s16le",
        "pcm_s16be",
        "pcm_s24le",
        "pcm_s24be",
        "pcm_s32le",
        "pcm_s32be",
        "pcm_f32le",
        "pcm_f32be",
        "pcm_f64le",
        "pcm_f64be",
    }
)
"""The decoders that may run, by FFmpeg's names."""


_MPEG1_SAMPLE_RATES = (44_100, 48_000, 32_000)
_LAYER_3_KBIT = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_LOW_RATE_KBIT = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG_KBIT_RATES: dict[tuple[bool, int], tuple[int, ...]] = {
    (True, 1): tuple(range(32, 449, 32)),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): _LAYER_3_KBIT,
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): _LOW_RATE_KBIT,
    (False, 3): _LOW_RATE_KBIT,
}
"""Bit rates in kbit/s. The keys are (is MPEG-1, layer); the first rate has index 1 in the
header."""


class Readable(Protocol):
    """The methods that this module needs of a file or of a piece of a file."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...


def sniff(file: Readable) -> str | None:
    """Return FFmpeg's name of the demuxer for this file, or None if it is not audio."""
    head = _head(file)
    return _by_magic(head) or _by_packets(head) or _by_frames(head)


def is_unread(file: Readable) -> bool:
    """Whether the file is music in a known but unsupported format."""
    head = _head(file)
    return any(head.startswith(magic, offset) for offset, magic in _UNREAD)


def _head(file: Readable) -> bytes:
    file.seek(after_id3(file))
    return file.read(_HEAD_BYTES)


def tells_length(file: Readable, demuxer: str) -> bool:
    """Whether the header states the length; otherwise FFmpeg guesses it or has none.

    An MP3 states it if its first frame is LAME's and includes the number of frames.
    """
    if demuxer != "mp3":
        return demuxer in _TELL_LENGTH
    file.seek(after_id3(file))
    head = file.read(_FIRST_FRAME_BYTES)
    found = max(head.find(b"Xing"), head.find(b"Info"))
    return found >= 0 and len(head) > found + 7 and bool(head[found + 7] & 1)


def _by_magic(head: bytes) -> str | None:
    for offset, magic, demuxer in _MAGIC:
        if head.startswith(magic, offset) and head.startswith(_CHUNKED.get(demuxer, b"")):
            return "eac3" if demuxer == "ac3" and _is_eac3(head) else demuxer
    return None


def _is_eac3(head: bytes) -> bool:
    return len(head) > 5 and head[5] >> 3 > 10


def after_id3(file: Readable) -> int:
    """Return the offset of the content, after any ID3v2 tags."""
    start = 0
    while True:
        file.seek(start)
        tag = file.read(10)
        if len(tag) < 10 or not tag.startswith(b"ID3"):
            return start
        start += id3_bytes(tag)


def id3_bytes(head: bytes) -> int:
    """Return the length of the ID3v2 tag with this header."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _by_packets(head: bytes) -> str | None:
    """Recognise an MPEG transport stream: packets of equal length with the same first byte."""
    for length in _TRANSPORT_PACKET_BYTES:
        for start in range(length):
            starts = head[start : start + length * _PACKETS_IN_A_ROW : length]
            if starts == b"\x47" * _PACKETS_IN_A_ROW:
                return "mpegts"
    return None


def _by_frames(head: bytes) -> str | None:
    """Recognise a raw stream of frames: its headers are exactly one frame apart."""
    start = head.find(b"\xff")
    while start >= 0:
        for demuxer, frame_bytes in (("mp3", mpeg_frame_bytes), ("aac", _adts_frame_bytes)):
            if chains(head, start, frame_bytes):
                return demuxer
        start = head.find(b"\xff", start + 1)
    return None


def chains(content: bytes | mmap.mmap, start: int, frame_bytes: Callable[[bytes], int]) -> bool:
    """Whether the next headers, or all up to the end, are exactly one frame apart."""
    for _ in range(_FRAMES_IN_A_ROW):
        length = frame_bytes(content[start : start + FRAME_HEADER_BYTES])
        if length == 0:
            return False
        start += length
        if start == len(content):
            break
    return True


def mpeg_frame_bytes(header: bytes) -> int:
    """Return the length of the MPEG audio frame with this header, or 0 if it is not one."""
    if len(header) < FRAME_HEADER_BYTES or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, bit_rate_index = header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or layer == 4 or rate_index == 3 or bit_rate_index in {0, 15}:
        return 0
    sample_rate = _MPEG1_SAMPLE_RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bit_rate = 1000 * _MPEG_KBIT_RATES[version == 3, layer][bit_rate_index - 1]
    padding = header[2] >> 1 & 1
    if layer == 1:
        return (12 * bit_rate // sample_rate + padding) * 4
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * bit_rate // sample_rate + padding


def _adts_frame_bytes(header: bytes) -> int:
    """Return the length of the ADTS frame with this header, or 0 if it is not one."""
    if len(header) < FRAME_HEADER_BYTES or header[1] & 0xF6 != 0xF0:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > FRAME_HEADER_BYTES else 0
