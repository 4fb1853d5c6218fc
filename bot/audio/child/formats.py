"""Which containers and codecs are opened, found by content alone: names and headers may lie.

FFmpeg is told one demuxer, the one for what the first bytes show. Left to guess, it would follow
playlists, concat scripts and SDP files to whatever they name.
"""

from collections.abc import Callable
from typing import BinaryIO

_HEAD_BYTES = 64 * 1024
_FIRST_FRAME_BYTES = 2048
_FRAMES_IN_A_ROW = 3
_FRAME_HEADER_BYTES = 7

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b"\x1a\x45\xdf\xa3", "matroska,webm"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"caff", "caf"),
    (0, b"#!AMR", "amr"),
    (0, b"\x0b\x77", "ac3"),
    (8, b"WAVE", "wav"),
    (8, b"AIFF", "aiff"),
    (8, b"AIFC", "aiff"),
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
)
_TELL_LENGTH = frozenset({"aiff", "flac", "mov", "wav"})
_CHUNKED = {"wav": (b"RIFF", b"RF64", b"BW64"), "aiff": (b"FORM",)}

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
"""Bit rates by (MPEG-1 or later, layer), from index 1 on."""


def sniff(file: BinaryIO) -> str | None:
    """Return the one demuxer for this file, by FFmpeg's name, or None if it is not audio."""
    start = _after_id3(file)
    file.seek(start)
    head = file.read(_HEAD_BYTES)
    return _by_magic(head) or _by_frames(head)


def tells_length(file: BinaryIO, demuxer: str) -> bool:
    """Return whether the file's header holds its length; elsewhere FFmpeg guesses, or knows none.

    An MP3 does where its first frame is LAME's, with the number of those that follow.
    """
    if demuxer != "mp3":
        return demuxer in _TELL_LENGTH
    file.seek(_after_id3(file))
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


def _after_id3(file: BinaryIO) -> int:
    """Return where the content starts behind the ID3v2 tags, of which there may be several."""
    start = 0
    while True:
        file.seek(start)
        tag = file.read(10)
        if len(tag) < 10 or not tag.startswith(b"ID3"):
            return start
        size = 0
        for byte in tag[6:10]:
            size = size << 7 | byte & 0x7F
        start += 10 + size


def _by_frames(head: bytes) -> str | None:
    """Find a stream of bare frames: their headers lie exactly a frame apart."""
    start = head.find(b"\xff")
    while start >= 0:
        for demuxer, frame_bytes in (("mp3", _mpeg_frame_bytes), ("aac", _adts_frame_bytes)):
            if _chains(head, start, frame_bytes):
                return demuxer
        start = head.find(b"\xff", start + 1)
    return None


def _chains(head: bytes, start: int, frame_bytes: Callable[[bytes], int]) -> bool:
    for _ in range(_FRAMES_IN_A_ROW):
        length = frame_bytes(head[start : start + _FRAME_HEADER_BYTES])
        if length == 0:
            return False
        start += length
    return True


def _mpeg_frame_bytes(header: bytes) -> int:
    """Return the length of the MPEG audio frame behind this header, 0 if it is none."""
    if len(header) < _FRAME_HEADER_BYTES or header[1] & 0xE0 != 0xE0:
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
    """Return the length of the ADTS frame behind this header, 0 if it is none."""
    if len(header) < _FRAME_HEADER_BYTES or header[1] & 0xF6 != 0xF0:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > _FRAME_HEADER_BYTES else 0
